package ring

import (
	"io"

	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// An operation is one of this package's calls, as errors name it.
type operation int

const (
	opPut operation = iota // the first ones have answers
	opTryPut
	opGet
	opGetInto
	opTryGet
	opLease
	opTryLease
	opLoan
	opLoanPut

	opLoanDrop
	opAck
	opNack
	opTaskDone
	opJoin
	opShutdown
	opClose
	opMarshal
	opPoll
	opPutBatch
	opGetBatch

	opSPSCPut // the first ones have answers, too
	opSPSCTryPut
	opSPSCGet
	opSPSCTryGet

	opSPSCShutdown
	opSPSCClose
	opSPSCMarshal
	opSPSCPoll
	opSPSCPutBatch
	opSPSCGetBatch

	opPublish
	opTryPublish
	opSubscribe
	opShutdownBroadcast
	opCloseBroadcast
	opMarshalBroadcast
	opNext
	opCloseSubscriber
	opPollSubscriber

	opSend
	opRecv
	opRecvInto
	opPollConn
	opCloseConn
	opMarshalConn

	answering     = opLoanPut + 1
	spscAnswering = opSPSCTryGet + 1 - opSPSCPut
)

// answers are what an operation says again and again to those who poll: not now,
// for there is no room, or nothing there; and never again, after Shutdown. Each
// handle makes its own once. nil is what the operation does not say.
type answers struct{ now, end error }

var operations = [...]struct {
	name string
	answers
}{
	opPut:      {"queue.Put", answers{nil, ErrShutdown}},
	opTryPut:   {"queue.TryPut", answers{ErrFull, ErrShutdown}},
	opGet:      {"queue.Get", answers{nil, io.EOF}},
	opGetInto:  {"queue.GetInto", answers{nil, io.EOF}},
	opTryGet:   {"queue.TryGet", answers{ErrEmpty, io.EOF}},
	opLease:    {"queue.Lease", answers{nil, io.EOF}},
	opTryLease: {"queue.TryLease", answers{ErrEmpty, io.EOF}},
	opLoan:     {"queue.Loan", answers{nil, ErrShutdown}},
	opLoanPut:  {"loan.Put", answers{nil, ErrShutdown}},
	opLoanDrop: {name: "loan.Drop"},
	opAck:      {name: "delivery.Ack"},
	opNack:     {name: "delivery.Nack"},
	opTaskDone: {name: "queue.TaskDone"},
	opJoin:     {name: "queue.Join"},
	opShutdown: {name: "queue.Shutdown"},
	opClose:    {name: "queue.Close"},
	opMarshal:  {name: "queue.MarshalBinary"},
	opPoll:     {name: "queue.Poll"},
	opPutBatch: {name: "queue.PutBatch"},
	opGetBatch: {name: "queue.GetBatch"},

	opSPSCPut:      {"spsc.Put", answers{nil, ErrShutdown}},
	opSPSCTryPut:   {"spsc.TryPut", answers{ErrFull, ErrShutdown}},
	opSPSCGet:      {"spsc.Get", answers{nil, io.EOF}},
	opSPSCTryGet:   {"spsc.TryGet", answers{ErrEmpty, io.EOF}},
	opSPSCShutdown: {name: "spsc.Shutdown"},
	opSPSCClose:    {name: "spsc.Close"},
	opSPSCMarshal:  {name: "spsc.MarshalBinary"},
	opSPSCPoll:     {name: "spsc.Poll"},
	opSPSCPutBatch: {name: "spsc.PutBatch"},
	opSPSCGetBatch: {name: "spsc.GetBatch"},

	opPublish:           {name: "broadcast.Publish"},
	opTryPublish:        {name: "broadcast.TryPublish"},
	opSubscribe:         {name: "broadcast.Subscribe"},
	opShutdownBroadcast: {name: "broadcast.Shutdown"},
	opCloseBroadcast:    {name: "broadcast.Close"},
	opMarshalBroadcast:  {name: "broadcast.MarshalBinary"},
	opNext:              {name: "subscriber.Next"},
	opCloseSubscriber:   {name: "subscriber.Close"},
	opPollSubscriber:    {name: "subscriber.Poll"},

	opSend:        {name: "conn.Send"},
	opRecv:        {name: "conn.Recv"},
	opRecvInto:    {name: "conn.RecvInto"},
	opPollConn:    {name: "conn.Poll"},
	opCloseConn:   {name: "conn.Close"},
	opMarshalConn: {name: "conn.MarshalBinary"},
}

func (o operation) String() string { return operations[o].name }

// of is the error of an operation that calls another one, which has ended with err.
func (o operation) of(err error) error {
	if e, ok := err.(*shm.Error); ok {
		named := *e
		named.Op = o.String()
		return &named
	}
	return err
}

// answersOf makes those of a handle.
func answersOf(core *object.Core) (made [answering]answers) {
	for o := range made {
		said := operations[o]
		made[o] = answers{core.Err(said.name, said.now), core.Err(said.name, said.end)}
	}
	return made
}

// spscAnswers are those of an SPSC: and that the side is another's.
type spscAnswers struct {
	answers
	busy error
}

// spscAnswersOf makes those of a handle.
func spscAnswersOf(core *object.Core) *[spscAnswering]spscAnswers {
	made := new([spscAnswering]spscAnswers)
	for i := range made {
		said := operations[opSPSCPut+operation(i)]
		made[i] = spscAnswers{answers{core.Err(said.name, said.now), core.Err(said.name, said.end)}, core.Err(said.name, ErrBusy)}
	}
	return made
}
