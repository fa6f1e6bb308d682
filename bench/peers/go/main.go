// The workloads on goroutines. Call: main WORKLOAD [SIZE]
//
// One processor at a time, as every other program here has: goroutines that do nothing but
// switch and wait are at their best so.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func count(base float64, factors ...float64) int {
	for _, factor := range factors {
		base *= factor
	}
	if base < 1 {
		return 1
	}
	return int(base + 0.5)
}

func check(ok bool) {
	if !ok {
		panic("wrong result or usage")
	}
}

func spawn(size, share float64) (int, float64) {
	tasks, rounds := count(1000, size), count(300, share)
	for k := 0; k < rounds; k++ {
		results := make([]int, tasks)
		var wg sync.WaitGroup
		wg.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func(i int) {
				results[i] = i
				wg.Done()
			}(i)
		}
		wg.Wait()
		check(results[tasks-1] == tasks-1)
	}
	return tasks * rounds, 0
}

func switches(size, share float64) (int, float64) {
	tasks, rounds := count(100, size), count(5000, share)
	var wg sync.WaitGroup
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for j := 0; j < rounds; j++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return tasks * rounds, 0
}

func sleepers(size, _ float64) (int, float64) {
	tasks := count(100000, size)
	var wg sync.WaitGroup
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func(i int) {
			time.Sleep(time.Duration(i%1000) * time.Millisecond)
			wg.Done()
		}(i)
	}
	wg.Wait()
	return tasks, 0
}

func queue(size, share float64) (int, float64) {
	items := count(300000, size, share)
	channel := make(chan int, count(100, size))
	go func() {
		for i := 0; i < items; i++ {
			channel <- i
		}
	}()
	last := 0
	for i := 0; i < items; i++ {
		last = <-channel
	}
	check(last == items-1)
	return items, 0
}

func waitfor(size, share float64) (int, float64) {
	rounds := count(50000, size, share)
	for i := 0; i < rounds; i++ {
		done := make(chan struct{}, 1)
		go func() {
			runtime.Gosched()
			done <- struct{}{}
		}()
		timer := time.NewTimer(10 * time.Second)
		select {
		case <-done:
		case <-timer.C:
			panic("timeout")
		}
		timer.Stop()
	}
	return rounds, 0
}

func park(size, _ float64) (int, float64) {
	tasks := count(1000000, size)
	event := make(chan struct{})
	var started, finished sync.WaitGroup
	started.Add(tasks)
	finished.Add(tasks)
	results := make([]int, tasks)
	before := rss()
	for i := 0; i < tasks; i++ {
		go func(i int) {
			started.Done()
			<-event
			results[i] = i
			finished.Done()
		}(i)
	}
	started.Wait()
	parked := rss()
	close(event)
	finished.Wait()
	check(results[tasks-1] == tasks-1)
	return tasks, (parked - before) / float64(tasks)
}

func rss() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	check(err == nil)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	check(err == nil)
	return float64(pages * os.Getpagesize())
}

var roundNumber int

func files(size, share float64) (int, float64) {
	number, rounds := count(1000, size), count(10, share)
	data := bytes.Repeat([]byte("x"), 4096)
	for k := 0; k < rounds; k++ {
		roundNumber++
		folder := os.Getenv("BENCH_DIR") + "/" + strconv.Itoa(roundNumber) + "/"
		check(os.Mkdir(folder, 0777) == nil)
		next := 0
		var wg sync.WaitGroup
		wg.Add(64)
		for w := 0; w < 64; w++ {
			go func() {
				for next < number {
					path := folder + strconv.Itoa(next)
					next++
					check(os.WriteFile(path, data, 0666) == nil)
					read, err := os.ReadFile(path)
					check(err == nil && len(read) == len(data))
				}
				wg.Done()
			}()
		}
		wg.Wait()
	}
	return number * rounds, 0
}

func peakKb() string {
	file, err := os.Open("/proc/self/status")
	check(err == nil)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); fields[0] == "VmHWM:" {
			return fields[1]
		}
	}
	panic("/proc/self/status has no VmHWM line")
}

func cpu() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	runtime.GOMAXPROCS(1)
	if os.Args[1] == "startup" {
		return
	}
	type workload struct {
		run  func(size, share float64) (int, float64)
		warm bool
	}
	workloads := map[string]workload{
		"spawn": {spawn, true}, "switch": {switches, true}, "sleepers": {sleepers, false},
		"queue": {queue, true}, "waitfor": {waitfor, true}, "park": {park, false},
		"files": {files, true},
	}
	name, size := os.Args[1], 1.0
	if len(os.Args) > 2 {
		var err error
		size, err = strconv.ParseFloat(os.Args[2], 64)
		check(err == nil)
	}
	work, known := workloads[name]
	check(known)
	if work.warm {
		work.run(size, 0.1)
	}
	wallStart, cpuStart := time.Now(), cpu()
	ops, taskBytes := work.run(size, 1)
	used, wall := cpu()-cpuStart, float64(time.Since(wallStart).Nanoseconds())
	fmt.Printf("workload=%s ops=%d ns_per_op=%.2f wall_ns_per_op=%.2f",
		name, ops, used/float64(ops), wall/float64(ops))
	if taskBytes > 0 {
		fmt.Printf(" bytes_per_op=%.1f", taskBytes)
	}
	fmt.Printf(" rss_kb=%s\n", peakKb())
}
