package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	arrowipc "github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/seed-4012077a/flow/engine/internal/operator"
	"github.com/seed-4012077a/flow/engine/internal/table/ipc"
)

// memo remembers what programs said of themselves and what binding gave, by
// the programs' identity, so that planning a pipeline that is all cached loads
// no plugin and starts no process. It is a file of the workspace; losing it
// costs time only.
type memo struct {
	path string

	once    sync.Once
	mu      sync.Mutex
	file    memoFile
	dirty   bool
	schemas map[string]*arrow.Schema // decoded, by their bytes: one for all tasks that share it
	encoded map[*arrow.Schema][]byte
}

// memoVersion changes when what is remembered would be another.
const memoVersion = 1

// memoBinds bounds the bindings kept: beyond it they are forgotten together.
const memoBinds = 1 << 14

type memoFile struct {
	Version  int                        `json:"version"`
	Programs map[string]json.RawMessage `json:"programs"` // operator.Plugin by identity
	Binds    map[string][][]byte        `json:"binds"`    // encapsulated schemas by output port
}

func (m *memo) load() {
	m.once.Do(func() {
		text, err := os.ReadFile(m.path)
		if err == nil {
			err = m.parse(text)
		}
		if err != nil || m.file.Version != memoVersion || len(m.file.Binds) > memoBinds {
			m.file = memoFile{Version: memoVersion}
		}
		if m.file.Programs == nil {
			m.file.Programs = map[string]json.RawMessage{}
		}
		if m.file.Binds == nil {
			m.file.Binds = map[string][][]byte{}
		}
		m.schemas, m.encoded = map[string]*arrow.Schema{}, map[*arrow.Schema][]byte{}
	})
}

// parse reads the file: a line with the SHA-256 of the JSON below it. A flipped
// bit would otherwise be a schema that nobody gave.
func (m *memo) parse(text []byte) error {
	sum, body, _ := bytes.Cut(text, []byte("\n"))
	if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != string(sum) {
		return errors.New("the memo is damaged")
	}
	return json.Unmarshal(body, &m.file)
}

// program returns what the program of that identity said of itself.
func (m *memo) program(identity string) (operator.Plugin, bool) {
	m.load()
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.file.Programs[identity]
	if !ok {
		return operator.Plugin{}, false
	}
	// The file is checked like the program's own answer was.
	p, err := operator.ParseDescribe(text)
	return p, err == nil
}

func (m *memo) setProgram(identity string, p operator.Plugin) {
	text, err := json.Marshal(p)
	if err != nil {
		return
	}
	m.load()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.file.Programs[identity], m.dirty = text, true
}

// bindKey names a binding: everything that decides what it gives.
func (m *memo) bindKey(identity []string, op string, params json.RawMessage, seed uint64, inputs []*arrow.Schema) string {
	h := sha256.New()
	put := func(b []byte) {
		h.Write(strconv.AppendInt(nil, int64(len(b)), 10))
		h.Write([]byte{' '})
		h.Write(b)
	}
	for _, line := range identity {
		put([]byte(line))
	}
	put([]byte(op))
	put(params)
	put(strconv.AppendUint(nil, seed, 10))
	for _, s := range inputs {
		if s == nil {
			put([]byte("not connected"))
			continue
		}
		put(m.encode(s))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (m *memo) bind(key string) ([]*arrow.Schema, bool) {
	m.load()
	m.mu.Lock()
	defer m.mu.Unlock()
	texts, ok := m.file.Binds[key]
	if !ok {
		return nil, false
	}
	schemas := make([]*arrow.Schema, len(texts))
	for i, text := range texts {
		if schemas[i] = m.schemas[string(text)]; schemas[i] != nil {
			continue
		}
		r, err := ipc.NewStreamReader(bytes.NewReader(text))
		if err != nil {
			return nil, false
		}
		schemas[i] = r.Schema()
		m.schemas[string(text)] = schemas[i]
	}
	return schemas, true
}

func (m *memo) setBind(key string, schemas []*arrow.Schema) {
	texts := make([][]byte, len(schemas))
	for i, s := range schemas {
		texts[i] = m.encode(s)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.file.Binds) >= memoBinds {
		clear(m.file.Binds)
	}
	m.file.Binds[key], m.dirty = texts, true
}

// encode gives a schema as a stream without batches.
func (m *memo) encode(s *arrow.Schema) []byte {
	m.load()
	m.mu.Lock()
	defer m.mu.Unlock()
	if text := m.encoded[s]; text != nil {
		return text
	}
	var b bytes.Buffer
	w := arrowipc.NewWriter(&b, arrowipc.WithSchema(s))
	_ = w.Close() // a buffer takes everything
	m.encoded[s] = b.Bytes()
	return b.Bytes()
}

// save writes the memo back if it changed, where there is a workspace.
func (m *memo) save() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirty {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(m.path)); err != nil {
		return nil // nothing was ever kept here
	}
	body, err := json.Marshal(m.file)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	text := append([]byte(hex.EncodeToString(sum[:])+"\n"), body...)
	temp, err := os.CreateTemp(filepath.Dir(m.path), ".memo-*")
	if err != nil {
		return nil // a workspace that cannot be written still plans
	}
	_, err = temp.Write(text)
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), m.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	m.dirty = false
	return nil
}

// fileBinder is an operator whose binding depends on files' content.
type fileBinder interface {
	BindFiles(params json.RawMessage) ([]string, error)
}

// contentKey extends parameters by the content of the files that a binding
// reads; ok is false where they cannot be read, which the binding then says.
// What was read is noted in seen, which may be nil.
func (e *Engine) contentKey(ctx context.Context, f fileBinder, params json.RawMessage, seen *witnesses) (key json.RawMessage, ok bool) {
	files, err := f.BindFiles(params)
	if err != nil {
		return nil, false
	}
	key = append(key, params...)
	for _, path := range files {
		sum, err := e.files.Hash(ctx, path)
		if err != nil {
			return nil, false
		}
		seen.file(path, sum)
		key = append(append(key, 0), sum[:]...)
	}
	return key, true
}
