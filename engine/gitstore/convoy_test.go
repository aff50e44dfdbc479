package gitstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestConvoy has ten ask while one is on its way: they share the next request, which departs when the first is back, and a caller who
// gives up takes nothing from the others.
func TestConvoy(t *testing.T) {
	c := convoy[int, []int]{stuck: time.Hour}
	asked, answers := make(chan []int), make(chan error)
	ask := func(_ context.Context, wants []int) ([]int, error) {
		asked <- wants
		return wants, <-answers
	}
	var done sync.WaitGroup
	join := func(ctx context.Context, want int, check func(answer []int, many int, err error) error) {
		done.Go(func() {
			answer, many, err := c.join(ctx, want, ask)
			if wrong := check(answer, many, err); wrong != nil {
				t.Errorf("%d: %v", want, wrong)
			}
		})
	}
	join(t.Context(), 0, func(answer []int, many int, err error) error {
		if many != 1 || err != nil || len(answer) != 1 {
			return fmt.Errorf("the first did not travel alone: %v, %d, %w", answer, many, err)
		}
		return nil
	})
	if first := <-asked; len(first) != 1 {
		t.Fatalf("the first request is for %v", first)
	}
	wrong := errors.New("the hub is away")
	for i := 1; i <= 10; i++ {
		join(t.Context(), i, func(answer []int, many int, err error) error {
			if many != 11 || !errors.Is(err, wrong) {
				return fmt.Errorf("many are %d, want 11: %w", many, err)
			}
			return nil
		})
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := c.join(gone, 11, ask); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone was told %v", err)
	}
	for wanted := 0; wanted < 11; {
		c.mu.Lock()
		wanted = len(c.next.wants)
		c.mu.Unlock()
	}
	answers <- nil
	if second := <-asked; len(second) != 11 {
		t.Errorf("the second request is for %v", second)
	}
	answers <- wrong
	done.Wait()
}
