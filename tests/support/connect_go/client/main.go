// A connect-go client that makes the calls it is told to. It reads a call per line of standard input, as JSON, and prints how
// it ended as a line of JSON. Messages stay as the bytes they are.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

type call struct {
	URL      string            `json:"url"`
	Protocol string            `json:"protocol"`
	HTTP     string            `json:"http"`
	Codec    string            `json:"codec"`
	Kind     string            `json:"kind"`
	Gzip     bool              `json:"gzip"`
	Get      bool              `json:"get"`
	Messages []string          `json:"messages"`
	Headers  map[string]string `json:"headers"`
	Timeout  int               `json:"timeout"`
	// Cancel ends the call after so many replies. Zero does not.
	Cancel int `json:"cancel"`
}

type detail struct {
	Type  string `json:"type"`
	Value []byte `json:"value"`
}

type result struct {
	Replies []string `json:"replies"`
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Details []detail `json:"details"`
}

type raw struct{ data []byte }

type rawCodec struct{ name string }

func (c rawCodec) Name() string { return c.name }

func (c rawCodec) IsBinary() bool { return c.name != "json" }

func (c rawCodec) Marshal(m any) ([]byte, error) { return m.(*raw).data, nil }

func (c rawCodec) MarshalStable(m any) ([]byte, error) { return c.Marshal(m) }

func (c rawCodec) Unmarshal(d []byte, m any) error {
	if status, ok := m.(proto.Message); ok { // of an error over gRPC
		return proto.Unmarshal(d, status)
	}
	m.(*raw).data = append([]byte{}, d...)
	return nil
}

func protocols(http2 bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!http2)
	p.SetUnencryptedHTTP2(http2)
	return p
}

var clients = map[string]*http.Client{
	"1.1": {Transport: &http.Transport{Protocols: protocols(false)}},
	"2":   {Transport: &http.Transport{Protocols: protocols(true)}},
}

func (c call) client() *connect.Client[raw, raw] {
	options := []connect.ClientOption{
		connect.WithCodec(rawCodec{c.Codec}),
		connect.WithIdempotency(connect.IdempotencyNoSideEffects),
	}
	switch c.Protocol {
	case "grpc":
		options = append(options, connect.WithGRPC())
	case "grpc-web":
		options = append(options, connect.WithGRPCWeb())
	}
	if c.Gzip {
		options = append(options, connect.WithSendGzip())
	}
	if c.Get {
		options = append(options, connect.WithHTTPGet())
	}
	return connect.NewClient[raw, raw](clients[c.HTTP], c.URL, options...)
}

func (c call) header(into http.Header) {
	for name, value := range c.Headers {
		into.Set(name, value)
	}
}

func request(message string) *raw { return &raw{[]byte(message)} }

func (c call) run(replies *[]string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.Timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, time.Duration(c.Timeout)*time.Millisecond)
		defer stop()
	}
	received := func(message *raw) {
		*replies = append(*replies, string(message.data))
		if len(*replies) == c.Cancel {
			cancel()
		}
	}
	client := c.client()
	switch c.Kind {
	case "unary":
		sent := connect.NewRequest(request(c.Messages[0]))
		c.header(sent.Header())
		reply, err := client.CallUnary(ctx, sent)
		if err == nil {
			received(reply.Msg)
		}
		return err
	case "server":
		sent := connect.NewRequest(request(c.Messages[0]))
		c.header(sent.Header())
		stream, err := client.CallServerStream(ctx, sent)
		if err != nil {
			return err
		}
		defer stream.Close()
		for stream.Receive() {
			received(stream.Msg())
		}
		return stream.Err()
	case "client":
		stream := client.CallClientStream(ctx)
		c.header(stream.RequestHeader())
		for _, message := range c.Messages {
			if err := stream.Send(request(message)); err != nil {
				break // the reply says why
			}
		}
		reply, err := stream.CloseAndReceive()
		if err == nil {
			received(reply.Msg)
		}
		return err
	default: // bidi: each reply is awaited before the next request
		stream := client.CallBidiStream(ctx)
		c.header(stream.RequestHeader())
		defer stream.CloseResponse()
		for _, message := range c.Messages {
			if err := stream.Send(request(message)); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			reply, err := stream.Receive()
			if err != nil {
				return err
			}
			received(reply)
		}
		if err := stream.CloseRequest(); err != nil {
			return err
		}
		if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<30)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatal(err)
		}
		ended := result{Replies: []string{}, Details: []detail{}}
		if err := c.run(&ended.Replies); err != nil {
			ended.Code, ended.Message = connect.CodeOf(err).String(), err.Error()
			var failure *connect.Error
			if errors.As(err, &failure) {
				ended.Message = failure.Message()
				for _, one := range failure.Details() {
					ended.Details = append(ended.Details, detail{one.Type(), one.Bytes()})
				}
			}
		}
		if err := out.Encode(ended); err != nil {
			log.Fatal(err)
		}
	}
}
