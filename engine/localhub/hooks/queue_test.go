package hooks

import (
	"slices"
	"testing"
)

func TestQueueKeepsItsOrder(t *testing.T) {
	q := newQueue[int]()
	for i := range 5 {
		q.put(i)
	}
	first, ok := q.take()
	rest, more := q.takeUpTo(3)
	if first != 0 || !ok || !more || !slices.Equal(rest, []int{1, 2, 3}) || q.len() != 1 {
		t.Fatalf("took %d, %v; %d are left", first, rest, q.len())
	}
}

func TestEndedQueueIsEmptiedFirst(t *testing.T) {
	q := newQueue[int]()
	q.put(1)
	q.end()
	q.put(2)
	if list, ok := q.takeUpTo(10); !ok || !slices.Equal(list, []int{1}) {
		t.Fatalf("took %v", list)
	}
	if _, ok := q.take(); ok {
		t.Fatal("an ended queue gave more")
	}
}

func TestClosedQueueWakesWhoWaits(t *testing.T) {
	q := newQueue[int]()
	got := make(chan bool)
	go func() {
		_, ok := q.take()
		got <- ok
	}()
	q.close()
	if <-got {
		t.Fatal("a closed queue gave something")
	}
}
