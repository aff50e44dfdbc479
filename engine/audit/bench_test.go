package audit

import (
	"fmt"
	"testing"

	"github.com/pullbook/pullbook/engine/gitstore"
)

func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{20, 200} {
		b.Run(fmt.Sprintf("incidents=%d", n), func(b *testing.B) {
			l := newLedger(b)
			l.begin()
			for i := range n {
				l.incident(fmt.Sprintf("%d-", i), fmt.Sprintf("group %d", i))
			}
			l.publish("")
			b.ReportAllocs()
			for b.Loop() {
				clone, err := gitstore.OpenClone(l.dir)
				if err != nil {
					b.Fatal(err)
				}
				if r := Verify(clone, Options{Trust: trusting(1)}); !r.OK() || len(r.Incidents) != n {
					b.Fatalf("%d incidents, %v", len(r.Incidents), r.Findings)
				}
				if err := clone.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "incidents/s")
		})
	}
}
