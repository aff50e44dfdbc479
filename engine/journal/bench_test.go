package journal

import "testing"

func BenchmarkDecode(b *testing.B) {
	files, _ := encoded(b, everyKind())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decode(sampleDir, files); err != nil {
			b.Fatal(err)
		}
	}
}
