package groupcommit

// join queues the writer and reports whether it leads.
func (q *Queue[T]) join(w *writer[T]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
	if q.leading {
		return false
	}
	q.leading = true
	return true
}

// leave takes a writer that gave up out of the queue. It reports false when the writer's turn, lead or answer is
// already under way.
func (q *Queue[T]) leave(w *writer[T]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(w.signals) > 0 {
		return false
	}
	return q.removeLocked(w)
}

func (q *Queue[T]) remove(w *writer[T]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.removeLocked(w)
}

func (q *Queue[T]) removeLocked(w *writer[T]) bool {
	for i := range q.waiting {
		if q.waiting[i] == w {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take removes the first writer of the queue; nil when it is empty.
func (q *Queue[T]) take() *writer[T] {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	first := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return first
}

func (q *Queue[T]) takeAll() []*writer[T] {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting
	q.waiting = nil
	return all
}

// giveBack puts writers whose transaction was lost at the head of the queue, in their order.
func (q *Queue[T]) giveBack(ws []*writer[T]) {
	if len(ws) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(append([]*writer[T](nil), ws...), q.waiting...)
}

// pass makes the first of the queue the leader, or nobody.
func (q *Queue[T]) pass() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.leading = false
		return
	}
	q.waiting[0].signals <- signal[T]{lead: true}
}
