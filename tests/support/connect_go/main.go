// A connect-go server of test.Echo, the service of tests/support/echo.py: the library that the real backend runs on.
//
// It listens on several ports, one per way in which a server or proxy may be set up, prints them as JSON, and ends when its
// standard input does. Messages are JSON text that connect-go takes for protobuf.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

type note struct {
	Big     string `json:"big,omitempty"`
	Size    int    `json:"size,omitempty"`
	N       int    `json:"n,omitempty"`
	To      int    `json:"to,omitempty"`
	Status  uint32 `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
	Hang    bool   `json:"hang,omitempty"`
	Cut     bool   `json:"cut,omitempty"`
	Empty   bool   `json:"empty,omitempty"`
	Details bool   `json:"details,omitempty"`
	Echo    string `json:"echo,omitempty"`
}

// raw is a message that stays as the bytes it arrived in.
type raw struct{ data []byte }

type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(m any) ([]byte, error) {
	if status, ok := m.(proto.Message); ok { // of an error over gRPC
		return proto.Marshal(status)
	}
	return m.(*raw).data, nil
}

func (rawCodec) Unmarshal(d []byte, m any) error {
	m.(*raw).data = append([]byte{}, d...)
	return nil
}

func reply(value any) *connect.Response[raw] {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return connect.NewResponse(&raw{data})
}

// stats is what tests ask about afterwards.
type stats struct {
	sync.Mutex
	changed   *sync.Cond
	Calls     map[string]int `json:"calls"`
	Peers     map[string]int `json:"peers"`
	Protocols map[string]int `json:"protocols"`
	Headers   http.Header    `json:"headers"`
	Entered   int            `json:"entered"`
	Cancelled int            `json:"cancelled"`
}

func (s *stats) reset() {
	s.Lock()
	defer s.Unlock()
	s.Calls, s.Peers, s.Protocols = map[string]int{}, map[string]int{}, map[string]int{}
	s.Entered, s.Cancelled = 0, 0
}

func (s *stats) count(method string, header http.Header, peer connect.Peer) {
	s.Lock()
	defer s.Unlock()
	s.Calls[method]++
	s.Peers[peer.Addr]++
	s.Protocols[peer.Protocol]++
	s.Headers = header
}

func (s *stats) add(counter *int) {
	s.Lock()
	defer s.Unlock()
	*counter++
	s.changed.Broadcast()
}

func (s *stats) hang(ctx context.Context) error {
	s.add(&s.Entered)
	<-ctx.Done()
	s.add(&s.Cancelled)
	return ctx.Err()
}

func failure(n note) error {
	if n.Status == 0 {
		return nil
	}
	err := connect.NewError(connect.Code(n.Status), fmt.Errorf("%s", n.Message))
	if n.Details {
		detail, detailErr := connect.NewErrorDetail(durationpb.New(90 * time.Second))
		if detailErr != nil {
			panic(detailErr)
		}
		err.AddDetail(detail)
	}
	return err
}

func (s *stats) say(method string) func(context.Context, *connect.Request[raw]) (*connect.Response[raw], error) {
	return func(ctx context.Context, request *connect.Request[raw]) (*connect.Response[raw], error) {
		s.count(method, request.Header(), request.Peer())
		var n note
		if len(request.Msg.data) == 0 {
			return reply(note{Echo: "an empty request"}), nil
		}
		if err := json.Unmarshal(request.Msg.data, &n); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		if err := failure(n); err != nil {
			return nil, err
		}
		switch {
		case n.Hang:
			return nil, s.hang(ctx)
		case n.Cut:
			panic(http.ErrAbortHandler)
		case n.Empty:
			return connect.NewResponse(&raw{}), nil
		case n.Size > 0:
			n.Big = strings.Repeat("x", n.Size)
		}
		return reply(n), nil
	}
}

func (s *stats) countTo(ctx context.Context, request *connect.Request[raw], stream *connect.ServerStream[raw]) error {
	s.count("Count", request.Header(), request.Peer())
	var n note
	if err := json.Unmarshal(request.Msg.data, &n); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	for i := range n.To {
		if err := stream.Send(&raw{[]byte(fmt.Sprintf(`{"n": %d, "big": "%s"}`, i, n.Big))}); err != nil {
			return err
		}
	}
	if n.Hang {
		return s.hang(ctx)
	}
	if n.Cut {
		panic(http.ErrAbortHandler)
	}
	return failure(n)
}

func (s *stats) sum(_ context.Context, stream *connect.ClientStream[raw]) (*connect.Response[raw], error) {
	s.count("Sum", stream.RequestHeader(), stream.Peer())
	total := 0
	for stream.Receive() {
		var n note
		if err := json.Unmarshal(stream.Msg().data, &n); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		if err := failure(n); err != nil {
			return nil, err
		}
		total += n.N
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return reply(map[string]int{"total": total}), nil
}

func (s *stats) chat(ctx context.Context, stream *connect.BidiStream[raw, raw]) error {
	s.count("Chat", stream.RequestHeader(), stream.Peer())
	for {
		message, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var n note
		if err := json.Unmarshal(message.data, &n); err != nil {
			return connect.NewError(connect.CodeInvalidArgument, err)
		}
		if err := failure(n); err != nil {
			return err
		}
		if n.Hang {
			return s.hang(ctx)
		}
		if err := stream.Send(&raw{[]byte(fmt.Sprintf(`{"n": %d, "big": "%s"}`, 2*n.N, n.Big))}); err != nil {
			return err
		}
	}
}

// tell answers with the counters, once so many calls were entered (`n`) and cancelled (`to`).
func (s *stats) tell(_ context.Context, request *connect.Request[raw]) (*connect.Response[raw], error) {
	var n note
	if err := json.Unmarshal(request.Msg.data, &n); err != nil {
		return nil, err
	}
	s.Lock()
	defer s.Unlock()
	for s.Entered < n.N || s.Cancelled < n.To {
		s.changed.Wait()
	}
	return reply(s), nil
}

// withoutTrailers forwards as nginx does with proxy_pass: over HTTP/1.1, dropping trailers.
type withoutTrailers struct{}

func (withoutTrailers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	without := *response
	without.Trailer = nil
	return &without, nil
}

func protocols(http1, http2, cleartext2 bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(http1)
	p.SetHTTP2(http2)
	p.SetUnencryptedHTTP2(cleartext2)
	return p
}

func listen(handler http.Handler, use *http.Protocols, certificate string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: handler, Protocols: use, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		if certificate != "" {
			server.TLSConfig = &tls.Config{}
			log.Fatal(server.ServeTLS(listener, certificate, certificate))
		}
		log.Fatal(server.Serve(listener))
	}()
	return listener.Addr().String()
}

func main() {
	counters := &stats{}
	counters.changed = sync.NewCond(counters)
	counters.reset()

	mux := http.NewServeMux()
	codec := connect.WithCodec(rawCodec{})
	for _, method := range []string{"Say", "Keep", "Write"} {
		path := "/test.Echo/" + method
		mux.Handle(path, connect.NewUnaryHandler(path, counters.say(method), codec))
	}
	mux.Handle("/test.Echo/Count", connect.NewServerStreamHandler("/test.Echo/Count", counters.countTo, codec))
	mux.Handle("/test.Echo/Sum", connect.NewClientStreamHandler("/test.Echo/Sum", counters.sum, codec))
	mux.Handle("/test.Echo/Chat", connect.NewBidiStreamHandler("/test.Echo/Chat", counters.chat, codec))
	mux.Handle("/test.Echo/Stats", connect.NewUnaryHandler("/test.Echo/Stats", counters.tell, codec))
	mux.HandleFunc("/reset", func(http.ResponseWriter, *http.Request) { counters.reset() })

	connectOnly := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		mux.ServeHTTP(w, r)
	})

	certificate := os.Args[1]
	ports := map[string]string{
		"http1":        "http://" + listen(mux, protocols(true, false, false), ""),
		"both":         "http://" + listen(mux, protocols(true, false, true), ""),
		"http2":        "http://" + listen(mux, protocols(false, false, true), ""),
		"connect_only": "http://" + listen(connectOnly, protocols(true, false, true), ""),
		"tls":          "https://" + listen(mux, protocols(true, true, false), certificate),
		"tls_http1":    "https://" + listen(mux, protocols(true, false, false), certificate),
	}
	target, err := url.Parse(ports["http1"])
	if err != nil {
		log.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = withoutTrailers{}, -1
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	ports["no_trailers"] = "http://" + listen(proxy, protocols(true, false, true), "")
	if err := json.NewEncoder(os.Stdout).Encode(ports); err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
