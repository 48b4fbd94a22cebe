package engine

import (
	"fmt"
	"github.com/sparewatch/sparewatch/pkg/component"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	h := newHall(10000)
	e := h.engine(t)
	now := start.Add(time.Hour)
	for i := 0; i < 3000; i++ {

		e.Update(h.view("srv-0-0", "srv-0-0/drive/1", []component.Condition{component.Failed, component.OK}[i%2]))

		t0 := time.Now()
		now = now.Add(time.Second)
		e.Step(now)
		if i%500 < 2 {
			fmt.Println(time.Since(t0))
		}
	}
}
