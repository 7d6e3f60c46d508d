package runmemo

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

// Memo is what is kept of a run.
type Memo struct {
	Question Hash   // how flow was called; also the file's name
	Pipeline string // the pipeline's name
	Dir      string // the pipeline's folder, absolute

	Texts    []Witness // files whose text planning took in
	Found    []string  // paths that had to be there
	Programs []Program // plugins and native nodes
	Files    []Witness // files and folders whose content decided keys or columns

	Origin string // a run in the history with these very rows; "" if there is none
	Tasks  []Task
	Kept   []byte // package cache's
}

// Witness is a file or folder with the hash of its content.
type Witness struct {
	Path string // absolute
	Sum  Hash
}

// Program is a plugin or native node as a pipeline names it.
type Program struct {
	Name     string
	Place    string   // where it was found
	Identity []string // its lines in the manifests
}

// Task is a cell of a node whose result is kept.
type Task struct {
	Node, Label, Uses string
	Rows, Bytes       int64
	Elapsed           time.Duration // of the run that made the result
	Publishes         bool          // Files is a table of files to put below Dir
	Files             Hash          // its OutputID
}

// errMemo says that bytes are no memo. What it is about does not matter: there
// is nothing to do but to plan again.
var errMemo = errors.New("it is no memo that this flow wrote")

// magic begins a memo's file; behind it stand the SHA-256 of the body and the
// body: varints, texts with their length before them, hashes as they are.
const magic = "flow run memo 1\n"

// encode gives a memo's file.
func (m *Memo) encode() []byte {
	w := &writer{b: make([]byte, 0, 4096+len(m.Kept)+64*len(m.Tasks))}
	w.b = append(w.b, magic...)
	w.b = append(w.b, make([]byte, sha256.Size)...)
	w.hash(m.Question)
	w.text(m.Pipeline)
	w.text(m.Dir)
	w.witnesses(m.Texts)
	w.texts(m.Found)
	w.number(int64(len(m.Programs)))
	for _, p := range m.Programs {
		w.text(p.Name)
		w.text(p.Place)
		w.texts(p.Identity)
	}
	w.witnesses(m.Files)
	w.text(m.Origin)
	w.tasks(m.Tasks)
	w.text(string(m.Kept))
	head := len(magic) + sha256.Size
	sum := sha256.Sum256(w.b[head:])
	copy(w.b[len(magic):], sum[:])
	return w.b
}

// decode reads what encode gave, and nothing else.
func decode(file []byte) (*Memo, error) {
	head := len(magic) + sha256.Size
	if len(file) < head || string(file[:len(magic)]) != magic || sha256.Sum256(file[head:]) != Hash(file[len(magic):head]) {
		return nil, errMemo
	}
	return decodeBody(file[head:])
}

// decodeBody reads what stands behind the checksum. Bytes of another's making
// give an error and never more memory than a few times their length.
func decodeBody(body []byte) (*Memo, error) {
	r := &reader{b: body, s: string(body)}
	m := &Memo{Question: r.hash(), Pipeline: r.text(), Dir: r.text(), Texts: r.witnesses(), Found: r.texts()}
	m.Programs = make([]Program, r.count(3))
	for i := range m.Programs {
		m.Programs[i] = Program{Name: r.text(), Place: r.text(), Identity: r.texts()}
	}
	m.Files = r.witnesses()
	m.Origin = r.text()
	m.Tasks = r.tasks()
	m.Kept = r.bytes()
	if r.bad || r.at != len(r.b) {
		return nil, errMemo
	}
	return m, nil
}

type writer struct{ b []byte }

func (w *writer) number(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *writer) text(s string) {
	w.number(int64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) texts(list []string) {
	w.number(int64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *writer) hash(h Hash) { w.b = append(w.b, h[:]...) }

func (w *writer) witnesses(list []Witness) {
	w.number(int64(len(list)))
	for i := range list {
		w.text(list[i].Path)
		w.hash(list[i].Sum)
	}
}

// tasks writes the names of operators once, and of a node only how much of the
// label it is.
func (w *writer) tasks(list []Task) {
	var names []string
	index := map[string]int{}
	for i := range list {
		if _, ok := index[list[i].Uses]; !ok {
			index[list[i].Uses] = len(names)
			names = append(names, list[i].Uses)
		}
	}
	w.texts(names)
	w.number(int64(len(list)))
	for i := range list {
		t := &list[i]
		w.text(t.Label)
		w.number(int64(len(t.Node)))
		w.number(int64(index[t.Uses]))
		w.number(t.Rows)
		w.number(t.Bytes)
		w.number(int64(t.Elapsed))
		if !t.Publishes {
			w.b = append(w.b, 0)
			continue
		}
		w.b = append(w.b, 1)
		w.hash(t.Files)
	}
}

// reader reads a body; the first thing that does not fit sets bad. Texts are
// parts of one string.
type reader struct {
	b   []byte
	s   string
	at  int
	bad bool
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.b[r.at:])
	if size <= 0 {
		r.bad, r.at = true, len(r.b)
		return 0
	}
	r.at += size
	return n
}

// count reads how many things follow that take size bytes each at least.
func (r *reader) count(size int) int {
	n := r.number()
	if n < 0 || n > int64((len(r.b)-r.at)/size) {
		r.bad, r.at = true, len(r.b)
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count(1)
	r.at += n
	return r.s[r.at-n : r.at]
}

func (r *reader) bytes() []byte {
	n := r.count(1)
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) texts() []string {
	list := make([]string, r.count(1))
	for i := range list {
		list[i] = r.text()
	}
	return list
}

func (r *reader) hash() (h Hash) {
	if len(r.b)-r.at < len(h) {
		r.bad, r.at = true, len(r.b)
		return h
	}
	r.at += copy(h[:], r.b[r.at:])
	return h
}

func (r *reader) witnesses() []Witness {
	list := make([]Witness, r.count(1+sha256.Size))
	for i := range list {
		list[i] = Witness{Path: r.text(), Sum: r.hash()}
	}
	return list
}

func (r *reader) tasks() []Task {
	names := r.texts()
	list := make([]Task, r.count(7))
	for i := range list {
		t := &list[i]
		t.Label = r.text()
		node, uses := r.number(), r.number()
		if node < 0 || node > int64(len(t.Label)) || uses < 0 || uses >= int64(len(names)) {
			r.bad = true
			return nil
		}
		t.Node, t.Uses = t.Label[:node], names[uses]
		t.Rows, t.Bytes, t.Elapsed = r.number(), r.number(), time.Duration(r.number())
		if r.at < len(r.b) && r.b[r.at] == 1 {
			t.Publishes = true
			r.at++
			t.Files = r.hash()
			continue
		}
		if r.at >= len(r.b) || r.b[r.at] != 0 {
			r.bad = true
			return nil
		}
		r.at++
	}
	return list
}
