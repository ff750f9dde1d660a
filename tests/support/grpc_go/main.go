// A grpc-go server of test.Echo, the service of tests/support/echo.py.
//
// It prints its port and ends when its standard input does. The arguments are the seconds after which it closes an idle
// connection, and the seconds after which it closes any; 0 for never. Messages are JSON text that grpc-go takes for protobuf.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

type note struct {
	Big     string     `json:"big,omitempty"`
	Size    int        `json:"size,omitempty"`
	N       int        `json:"n"`
	To      int        `json:"to,omitempty"`
	Status  codes.Code `json:"status,omitempty"`
	Message string     `json:"message,omitempty"`
	Hang    bool       `json:"hang,omitempty"`
}

// raw is a message that stays as the bytes it arrived in.
type raw struct{ data []byte }

type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(m any) ([]byte, error) { return m.(*raw).data, nil }

func (rawCodec) Unmarshal(data []byte, m any) error {
	m.(*raw).data = append([]byte{}, data...)
	return nil
}

type counters struct {
	sync.Mutex
	Calls map[string]int `json:"calls"`
}

func (c *counters) count(method string) {
	c.Lock()
	defer c.Unlock()
	c.Calls[method]++
}

func reply(value any) (*raw, error) {
	data, err := json.Marshal(value)
	return &raw{data}, err
}

func failure(n note) error {
	if n.Status == codes.OK {
		return nil
	}
	return status.Error(n.Status, n.Message)
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func (c *counters) say(ctx context.Context, method string, request *raw) (*raw, error) {
	c.count(method)
	var n note
	if err := json.Unmarshal(request.data, &n); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := failure(n); err != nil {
		return nil, err
	}
	if n.Hang {
		return nil, hang(ctx)
	}
	if n.Size > 0 {
		n.Big = strings.Repeat("x", n.Size)
	}
	return reply(n)
}

func (c *counters) countTo(stream grpc.ServerStream) error {
	c.count("Count")
	var request raw
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	var n note
	if err := json.Unmarshal(request.data, &n); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	for i := range n.To {
		if err := stream.SendMsg(&raw{[]byte(fmt.Sprintf(`{"n": %d}`, i))}); err != nil {
			return err
		}
	}
	if n.Hang {
		return hang(stream.Context())
	}
	return failure(n)
}

// tell answers with the counters and starts them again.
func (c *counters) tell(context.Context, string, *raw) (*raw, error) {
	c.Lock()
	defer c.Unlock()
	answer, err := reply(c)
	c.Calls = map[string]int{}
	return answer, err
}

func unary(name string, handle func(context.Context, string, *raw) (*raw, error)) grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var request raw
			if err := decode(&request); err != nil {
				return nil, err
			}
			return handle(ctx, name, &request)
		},
	}
}

func seconds(argument string) time.Duration {
	n, err := strconv.ParseFloat(argument, 64)
	if err != nil {
		log.Fatal(err)
	}
	return time.Duration(n * float64(time.Second))
}

func main() {
	c := &counters{Calls: map[string]int{}}
	server := grpc.NewServer(
		grpc.ForceServerCodec(rawCodec{}),
		grpc.MaxRecvMsgSize(1<<28),
		grpc.MaxSendMsgSize(1<<28),
		grpc.MaxConcurrentStreams(100),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: seconds(os.Args[1]),
			MaxConnectionAge:  seconds(os.Args[2]),
		}),
	)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Echo",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			unary("Say", c.say), unary("Keep", c.say), unary("Write", c.say), unary("Stats", c.tell),
		},
		Streams: []grpc.StreamDesc{{
			StreamName:    "Count",
			ServerStreams: true,
			Handler:       func(_ any, stream grpc.ServerStream) error { return c.countTo(stream) },
		}},
	}, c)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
