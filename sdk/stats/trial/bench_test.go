package trial

import (
	"path/filepath"
	"testing"
)

// BenchmarkReleased analyses the released data by the attachment plan.
func BenchmarkReleased(b *testing.B) {
	input, _ := released(b)
	p := readPlan(b, filepath.Join(root, "pipelines/kirk2025-trial/attachment.toml"))
	for b.Loop() {
		if _, err := Analyse(p, input, "file", nil); err != nil {
			b.Fatal(err)
		}
	}
}
