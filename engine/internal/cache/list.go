package cache

import (
	"iter"
	"slices"
	"time"
)

// Item is an entry as List gives it.
type Item struct {
	Action ActionID
	Entry  Entry
	Used   time.Time // the last use known
}

// List gives all entries, oldest first. The first error ends it.
func (s *Store) List() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		s.mu.Lock()
		err := s.index.refresh()
		ids := s.index.byOffset()
		s.mu.Unlock()
		if err != nil {
			yield(Item{}, Explain(err))
			return
		}
		for _, id := range ids {
			s.mu.Lock()
			p, ok := s.index.entries[id]
			var e Entry
			if ok {
				e, ok, err = s.index.read(id, p)
			}
			s.mu.Unlock()
			if err != nil {
				yield(Item{}, Explain(err))
				return
			}
			if ok && !yield(Item{Action: id, Entry: e, Used: time.Unix(0, p.used)}, nil) {
				return
			}
		}
	}
}

func (x *index) byOffset() []ActionID {
	ids := make([]ActionID, 0, len(x.entries))
	for id := range x.entries {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ActionID) int { return int(x.entries[a].off - x.entries[b].off) })
	return ids
}
