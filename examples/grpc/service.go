package main

import (
	"context"
	"io"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
)

// A number is every message here.
type number = wrapperspb.Int64Value

// The methods of the service, by hand: what protoc makes of a .proto is the same, and is
// used in the same way.
const (
	service = "tandem.Numbers"
	square  = "/" + service + "/Square" // n·n
	wait    = "/" + service + "/Wait"   // until the call is given up
	givenUp = "/" + service + "/GivenUp"
	count   = "/" + service + "/Count" // 1 to n; n is 0: without end
	sum     = "/" + service + "/Sum"   // of all so far, for each
)

var countStream = grpc.StreamDesc{StreamName: "Count", ServerStreams: true, Handler: serveCount}
var sumStream = grpc.StreamDesc{StreamName: "Sum", ServerStreams: true, ClientStreams: true, Handler: serveSum}

// gaveUp is how many calls were given up.
var gaveUp atomic.Int64

var desc = grpc.ServiceDesc{
	ServiceName: service,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		method("Square", func(_ context.Context, n *number) (*number, error) {
			return wrapperspb.Int64(n.Value * n.Value), nil
		}),
		method("Wait", func(ctx context.Context, _ *number) (*number, error) {
			<-ctx.Done()
			gaveUp.Add(1)
			return nil, status.FromContextError(ctx.Err()).Err()
		}),
		method("GivenUp", func(context.Context, *number) (*number, error) {
			return wrapperspb.Int64(gaveUp.Load()), nil
		}),
	},
	Streams: []grpc.StreamDesc{countStream, sumStream},
}

func method(name string, f func(context.Context, *number) (*number, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		n := new(number)
		if err := decode(n); err != nil {
			return nil, err
		}
		return f(ctx, n)
	}}
}

func serveCount(_ any, s grpc.ServerStream) error {
	n := new(number)
	if err := s.RecvMsg(n); err != nil {
		return err
	}
	for i := int64(1); i <= n.Value || n.Value == 0; i++ {
		if err := s.SendMsg(wrapperspb.Int64(i)); err != nil {
			gaveUp.Add(1)
			return err
		}
	}
	return nil
}

func serveSum(_ any, s grpc.ServerStream) error {
	for total := int64(0); ; {
		n := new(number)
		if err := s.RecvMsg(n); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		total += n.Value
		if err := s.SendMsg(wrapperspb.Int64(total)); err != nil {
			return err
		}
	}
}

// server serves it until it is asked to end, and then ends what has begun.
var server = proc.Register("server", func(ctx context.Context, name string) error {
	l, err := ring.Listen(proc.Regions()[0], name, nil)
	if err != nil {
		return err
	}
	return serve(ctx, l)
})

func serve(ctx context.Context, l net.Listener) error {
	s := grpc.NewServer()
	s.RegisterService(&desc, nil)
	h := health.NewServer()
	healthpb.RegisterHealthServer(s, h)
	context.AfterFunc(ctx, func() {
		h.Shutdown()
		s.GracefulStop()
	})
	return s.Serve(l)
}
