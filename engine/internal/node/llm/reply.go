package llm

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Cache keeps raw replies by the hash of their request. It is safe for
// concurrent use, by several processes too.
type Cache interface {
	// Get returns the value put under key, and whether there is one.
	Get(key [32]byte) ([]byte, bool, error)
	// Put keeps value under key unless another stands there already, and
	// returns the one that stands. Once it returns, a crash does not lose it.
	Put(key [32]byte, value []byte) ([]byte, error)
}

// kept is a cache's value.
type kept struct {
	Version int             `json:"v"`
	Reply   json.RawMessage `json:"reply"` // what the server answered
	At      time.Time       `json:"at"`
	Millis  int64           `json:"ms"` // how long the attempt took
}

// reply is what a model answered.
type reply struct {
	text         string
	finishReason string
	usage        *openai.Usage // nil where the server told none
	cached       bool
}

// errUnreadable is an answer that is not a chat completion. It is worth
// another attempt: proxies give such pages now and then.
var errUnreadable = errors.New("the server answered something that is no chat completion")

func readReply(raw []byte) (reply, error) {
	var c openai.ChatCompletionResponse
	if err := json.Unmarshal(raw, &c); err != nil {
		return reply{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if len(c.Choices) == 0 {
		return reply{}, fmt.Errorf("%w: it has no choices", errUnreadable)
	}
	first := c.Choices[0]
	r := reply{text: first.Message.Content, finishReason: string(first.FinishReason)}
	if r.text == "" && first.Message.Refusal != "" {
		r.text, r.finishReason = first.Message.Refusal, "refusal"
	}
	if c.Usage.PromptTokens > 0 || c.Usage.CompletionTokens > 0 {
		if c.Usage.PromptTokens < 0 || c.Usage.CompletionTokens < 0 {
			return reply{}, fmt.Errorf("%w: its usage is negative", errUnreadable)
		}
		r.usage = &c.Usage
	}
	return r, nil
}

func readKept(value []byte) (reply, bool) {
	var k kept
	if err := json.Unmarshal(value, &k); err != nil || k.Version != keyVersion {
		return reply{}, false
	}
	r, err := readReply(k.Reply)
	r.cached = true
	return r, err == nil
}

func keep(raw []byte, at time.Time, took time.Duration) ([]byte, error) {
	return json.Marshal(kept{Version: keyVersion, Reply: raw, At: at.UTC(), Millis: took.Milliseconds()})
}
