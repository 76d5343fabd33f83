// The workloads that Go can do, for the runner `side-by-side --others`.
//
// The first line of the output names the workloads. For each line "WORKLOAD WORKERS ROUNDS" of the input, the workload does
// so many rounds on so many threads, once warmed up, and the answer is nanoseconds per operation.
//
// The workloads are those of the same names in benches/src/workloads. Where those await the output of a task, a goroutine
// sends it over a channel, which is what users of Go write.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(right bool) {
	if !right {
		panic("a wrong result")
	}
}

func spawn(rounds int) time.Duration {
	start := time.Now()
	for i := 0; i < rounds; i++ {
		left := int64(1000)
		done := make(chan struct{})
		for task := 0; task < 1000; task++ {
			go func() {
				if atomic.AddInt64(&left, -1) == 0 {
					close(done)
				}
			}()
		}
		<-done
	}
	return time.Since(start)
}

func spawnJoin(rounds int) time.Duration {
	start := time.Now()
	for number := 0; number < rounds; number++ {
		output := make(chan int, 1)
		go func(number int) { output <- number }(number)
		check(<-output == number)
	}
	return time.Since(start)
}

func spawnJoin100(rounds int) time.Duration {
	outputs := make([]chan int, 100)
	start := time.Now()
	for i := 0; i < rounds; i++ {
		for number := range outputs {
			output := make(chan int, 1)
			outputs[number] = output
			go func(number int) { output <- number }(number)
		}
		sum := 0
		for _, output := range outputs {
			sum += <-output
		}
		check(sum == 4950)
	}
	return time.Since(start)
}

func chain(left int, done chan<- struct{}) {
	if left == 0 {
		done <- struct{}{}
	} else {
		go chain(left-1, done)
	}
}

func chainedSpawn(rounds int) time.Duration {
	done := make(chan struct{}, 1)
	start := time.Now()
	for i := 0; i < rounds; i++ {
		chain(1000, done)
		<-done
	}
	return time.Since(start)
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	left := make(chan int, 1)
	go func() { left <- fib(n - 1) }()
	right := fib(n - 2)
	return <-left + right
}

func forkJoinFib(rounds int) time.Duration {
	start := time.Now()
	for i := 0; i < rounds; i++ {
		check(fib(15) == 610)
	}
	return time.Since(start)
}

func yieldAlone(rounds int) time.Duration {
	start := time.Now()
	for i := 0; i < rounds; i++ {
		runtime.Gosched()
	}
	return time.Since(start)
}

// Runs a function in so many goroutines and waits for all of them.
func together(count int, run func(task int)) time.Duration {
	start := time.Now()
	var all sync.WaitGroup
	all.Add(count)
	for task := 0; task < count; task++ {
		go func(task int) {
			run(task)
			all.Done()
		}(task)
	}
	all.Wait()
	return time.Since(start)
}

func yield100(rounds int) time.Duration {
	return together(100, func(int) {
		for i := 0; i < rounds; i++ {
			runtime.Gosched()
		}
	})
}

func gather(count int) func(int) time.Duration {
	return func(rounds int) time.Duration {
		start := time.Now()
		for i := 0; i < rounds; i++ {
			outputs := make([]int, count)
			together(count, func(task int) { outputs[task] = task })
			check(outputs[count-1] == count-1)
		}
		return time.Since(start)
	}
}

func pingPong(rounds int) time.Duration {
	there, back := make(chan int, 1), make(chan int, 1)
	go func() {
		for number := range there {
			back <- number + 1
		}
	}()
	start := time.Now()
	for number := 0; number < rounds; number++ {
		there <- number
		check(<-back == number+1)
	}
	took := time.Since(start)
	close(there)
	return took
}

func pingPong100(rounds int) time.Duration {
	return together(100, func(int) { pingPong(rounds) })
}

func pipeline(rounds int) time.Duration {
	numbers := rounds * 64
	first := make(chan int, 16)
	last := first
	start := time.Now()
	for stage := 0; stage < 4; stage++ {
		from, to := last, make(chan int, 16)
		last = to
		go func() {
			for number := range from {
				to <- number + 1
			}
			close(to)
		}()
	}
	go func() {
		for number := 0; number < numbers; number++ {
			first <- number
		}
		close(first)
	}()
	for number := 0; number < numbers; number++ {
		check(<-last == number+4)
	}
	return time.Since(start)
}

func queueFanIn(rounds int) time.Duration {
	queue := make(chan int, 16)
	start := time.Now()
	for task := 0; task < 32; task++ {
		go func(task int) {
			for i := 0; i < rounds; i++ {
				queue <- task
			}
		}(task)
	}
	sum := 0
	for i := 0; i < rounds*32; i++ {
		sum += <-queue
	}
	check(sum == rounds*31*16)
	return time.Since(start)
}

func lockFree(rounds int) time.Duration {
	var lock sync.Mutex
	count := 0
	start := time.Now()
	for i := 0; i < rounds; i++ {
		lock.Lock()
		count++
		lock.Unlock()
	}
	took := time.Since(start)
	check(count == rounds)
	return took
}

func lockContended(rounds int) time.Duration {
	var lock sync.Mutex
	count := 0
	took := together(32, func(int) {
		for i := 0; i < rounds; i++ {
			lock.Lock()
			runtime.Gosched()
			count++
			lock.Unlock()
		}
	})
	check(count == rounds*32)
	return took
}

func cleanUp1k(rounds int) time.Duration {
	var took time.Duration
	for i := 0; i < rounds; i++ {
		var begun, ended sync.WaitGroup
		begun.Add(1000)
		ended.Add(1000)
		stops := make([]context.CancelFunc, 1000)
		for task := range stops {
			told, stop := context.WithCancel(context.Background())
			stops[task] = stop
			go func() {
				begun.Done()
				timer := time.NewTimer(time.Hour)
				select {
				case <-timer.C:
					panic("nobody sleeps so long")
				case <-told.Done():
					timer.Stop()
					runtime.Gosched()
				}
				ended.Done()
			}()
		}
		begun.Wait()
		start := time.Now()
		for _, stop := range stops {
			stop()
		}
		ended.Wait()
		took += time.Since(start)
	}
	return took
}

// The median of how much longer than asked for so many goroutines slept, in nanoseconds per round.
func sleepsLate(count int) func(int) float64 {
	return func(rounds int) float64 {
		var late []time.Duration
		random := uint64(1)
		for i := 0; i < rounds; i++ {
			slept := make([]time.Duration, count)
			delays := make([]time.Duration, count)
			for task := range delays {
				random ^= random << 13
				random ^= random >> 7
				random ^= random << 17
				delays[task] = time.Duration(uint64(count)+random%uint64(count)) * time.Microsecond
			}
			together(count, func(task int) {
				start := time.Now()
				time.Sleep(delays[task])
				slept[task] = time.Since(start) - delays[task]
			})
			late = append(late, slept...)
		}
		sort.Slice(late, func(one, other int) bool { return late[one] < late[other] })
		return float64(late[len(late)/2])
	}
}

func serveEcho(stream net.Conn) {
	buffer := make([]byte, 8192)
	for {
		length, err := stream.Read(buffer)
		if err == io.EOF {
			must(stream.Close())
			return
		}
		must(err)
		_, err = stream.Write(buffer[:length])
		must(err)
	}
}

// Opens so many connections to a server in this process, and calls ask with the latencies of each.
func echo(connections, size, rounds int, latencies [][]time.Duration) time.Duration {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(err)
	go func() {
		for i := 0; i < connections; i++ {
			stream, err := listener.Accept()
			must(err)
			go serveEcho(stream)
		}
	}()
	streams := make([]net.Conn, connections)
	for i := range streams {
		streams[i], err = net.Dial("tcp4", listener.Addr().String())
		must(err)
	}
	for _, stream := range streams {
		ask(stream, size, 1, nil)
	}
	took := together(connections, func(task int) {
		if latencies == nil {
			ask(streams[task], size, rounds, nil)
		} else {
			ask(streams[task], size, rounds, &latencies[task])
		}
	})
	for _, stream := range streams {
		must(stream.Close())
	}
	must(listener.Close())
	return took
}

func ask(stream net.Conn, size, rounds int, latencies *[]time.Duration) {
	message, answer := make([]byte, size), make([]byte, size)
	for i := 0; i < rounds; i++ {
		start := time.Now()
		_, err := stream.Write(message)
		must(err)
		_, err = io.ReadFull(stream, answer)
		must(err)
		if latencies != nil {
			*latencies = append(*latencies, time.Since(start))
		}
	}
}

func echoOf(connections, size int) func(int) time.Duration {
	return func(rounds int) time.Duration { return echo(connections, size, rounds, nil) }
}

func echoTail(connections int) func(int) float64 {
	return func(rounds int) float64 {
		each := make([][]time.Duration, connections)
		echo(connections, 64, rounds, each)
		var all []time.Duration
		for _, latencies := range each {
			all = append(all, latencies...)
		}
		sort.Slice(all, func(one, other int) bool { return all[one] < all[other] })
		return float64(all[len(all)*99/100])
	}
}

type workload struct {
	name string
	// How many operations one round has.
	elements int
	run      func(rounds int) time.Duration
}

var workloads = []workload{
	{"spawn", 1000, spawn},
	{"spawn_join", 1, spawnJoin},
	{"spawn_join_100", 100, spawnJoin100},
	{"chained_spawn", 1000, chainedSpawn},
	{"fork_join_fib", 986, forkJoinFib},
	{"yield_alone", 1, yieldAlone},
	{"yield_100", 100, yield100},
	{"gather_10", 10, gather(10)},
	{"gather_1k", 1000, gather(1000)},
	{"gather_100k", 100000, gather(100000)},
	{"clean_up_1k", 1000, cleanUp1k},
	{"ping_pong", 1, pingPong},
	// Go has one kind of channel.
	{"ping_pong_mpsc", 1, pingPong},
	{"ping_pong_100", 100, pingPong100},
	{"pipeline", 64, pipeline},
	{"queue_pipeline", 64, pipeline},
	{"queue_fan_in", 32, queueFanIn},
	{"lock_free", 1, lockFree},
	{"lock_contended", 32, lockContended},
	{"echo_1", 1, echoOf(1, 64)},
	{"echo_32", 32, echoOf(32, 64)},
	{"echo_500", 500, echoOf(500, 64)},
	{"echo_32_4k", 32, echoOf(32, 4096)},
}

// Those whose figure is not a sum over operations.
var probes = map[string]func(rounds int) float64{
	"sleeps_10k_late":  sleepsLate(10000),
	"sleeps_100k_late": sleepsLate(100000),
	"sleeps_1m_late":   sleepsLate(1000000),
	"echo_1_p99":       echoTail(1),
	"echo_32_p99":      echoTail(32),
	"echo_500_p99":     echoTail(500),
}

func measure(name string, rounds int) float64 {
	for _, workload := range workloads {
		if workload.name == name {
			workload.run((rounds + 7) / 8)
			took := workload.run(rounds)
			return float64(took) / float64(rounds*workload.elements)
		}
	}
	return probes[name](rounds)
}

func main() {
	for _, workload := range workloads {
		fmt.Print(workload.name, " ")
	}
	for name := range probes {
		fmt.Print(name, " ")
	}
	fmt.Println()
	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		var name string
		var workers, rounds int
		_, err := fmt.Sscan(questions.Text(), &name, &workers, &rounds)
		must(err)
		runtime.GOMAXPROCS(workers)
		// What earlier workloads have left over is not this one's.
		runtime.GC()
		fmt.Println(measure(name, rounds))
	}
}
