// Canal ends in the way that it is asked for: `canal ENDING`.
package main

// static void flood(int *lock) { *lock = 1; }
// void open_gate(int *lock);
// static void open_lock(int *lock) { open_gate(lock); }
import "C"

import (
	"os"
	"runtime/debug"
	"sync"
	"unsafe"
)

type boat struct {
	length int
}

type lock struct {
	boats []boat
	queue map[string]int
}

type gate interface {
	open() int
}

type wood struct{}

func (wood) open() int { return 1 }

type iron struct{}

func (*iron) open() int { return 2 }

var nothing *boat
var seven = 7

//go:noinline
func (l *lock) measure(b *boat) int {
	l.boats = nil
	return b.length
}

//go:noinline
func (l *lock) boatAt(place int) int { return l.boats[place].length }

//go:noinline
func (l *lock) enter(name string) { l.queue[name] = 1 }

//go:noinline
func (l *lock) close() int { panic("the gate is stuck") }

//go:noinline
func (l *lock) share(cost int) int { return cost / (seven - 7) }

//go:noinline
func (l *lock) depth(level int) int {
	var room [128]int
	room[level%128] = level
	return l.depth(level+1) + room[(level+1)%128]
}

//go:noinline
func (l *lock) openAs(g gate) int { return g.(*iron).open() }

//go:noinline
func (l *lock) release() {
	var held sync.Mutex
	held.Unlock()
}

//go:noinline
func (l *lock) flood() { C.flood((*C.int)(unsafe.Pointer(nothing))) }

//export open_gate
//go:noinline
func open_gate(level *C.int) {
	seven++
	*level = 1
}

//go:noinline
func (l *lock) openFromC() { C.open_lock((*C.int)(unsafe.Pointer(nothing))) }

func each[T any](all []T, do func(T)) {
	for _, one := range all {
		do(one)
	}
}

func main() {
	l := &lock{}
	// As a program does that wants its crashes reported.
	debug.SetTraceback("crash")
	switch os.Args[1] {
	case "nil":
		l.measure(nothing)
	case "index":
		l.boatAt(seven)
	case "nil-map":
		l.enter("tug")
	case "panic":
		l.close()
	case "division-by-zero":
		l.share(100)
	case "stack-overflow":
		debug.SetMaxStack(1 << 16)
		l.depth(0)
	case "type-assertion":
		l.openAs(wood{})
	case "goroutine":
		go l.close()
		select {}
	case "closure":
		each([]int{1, 7}, func(place int) { l.boatAt(place) })
	case "fatal":
		l.release()
	case "cgo":
		l.flood()
	case "cgo-callback":
		l.openFromC()
	}
}
