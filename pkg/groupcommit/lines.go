package groupcommit

import "sync"

// Lines are queues by key: those of one key share commits, and wait for nobody else's. A queue is there while somebody
// is in it. The zero value has none.
type Lines[K comparable, T Tx] struct {
	mu   sync.Mutex
	open map[K]*line[T]
}

// line is the queue of one key.
type line[T Tx] struct {
	Queue[T]
	writers int // that have entered and not left
}

// Enter returns the queue of the key, which set has made ready if nobody was in it, and what is to be called after the
// write.
func (l *Lines[K, T]) Enter(key K, set func(*Queue[T])) (q *Queue[T], leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[K]*line[T]{}
	}
	entered := l.open[key]
	if entered == nil {
		entered = &line[T]{}
		set(&entered.Queue)
		l.open[key] = entered
	}
	entered.writers++
	return &entered.Queue, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if entered.writers--; entered.writers == 0 {
			delete(l.open, key)
		}
	}
}

// Waiting returns how many writers of the key wait for their turn.
func (l *Lines[K, T]) Waiting(key K) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if entered := l.open[key]; entered != nil {
		return entered.Queue.Waiting()
	}
	return 0
}
