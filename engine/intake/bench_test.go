package intake

import (
	"fmt"
	"os"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	small, err := os.ReadFile("testdata/alertmanager/firing.json")
	if err != nil {
		b.Fatal(err)
	}
	hostile := []byte(`{"name":"A","labels":{`)
	for i := 0; len(hostile) < MaxBody-20; i++ {
		hostile = fmt.Appendf(hostile, `"%x":"",`, i)
	}
	hostile = append(hostile, `"":""}}`...)
	for _, c := range []struct {
		name, format string
		body         []byte
	}{{"two-members", Alertmanager, small}, {"hostile-1MiB", Generic, hostile}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				_, err := Parse(c.format, c.body)
				if (err == nil) != (c.format == Alertmanager) {
					b.Fatal(err)
				}
			}
		})
	}
}
