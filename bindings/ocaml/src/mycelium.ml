type kind = Base.kind =
  | Closed
  | Full
  | Timeout
  | Contract
  | Digest
  | Value
  | Buffer
  | Inside
  | No_address
  | Tree
  | Callback
  | System
  | Argument
  | Handle
  | Panic
  | Forked
  | Interrupted
  | Topology

exception Error = Base.Error

let version = Base.version

type bigstring = Base.bigstring

module type MESSAGE = Base.MESSAGE

type 'a message = (module MESSAGE with type t = 'a)

type raw = Base.raw = {
  type_id : int;
  version : int;
  root_len : int;
  stamp : int;
  published_ns : int;
  sender : int;
  bytes : bytes;
}

type policy = Base.policy = Block | Drop_oldest | Drop_newest | Fail

module Raw = Base.Raw
module Runtime = Base.Runtime
module Publisher = Messages.Publisher
module Reader = Messages.Reader
module Subscription = Messages.Subscription
module Address = Messages.Address
module Self = Actors.Self
module Actor = Actors.Actor

module type ACTOR = Actor.S

module Tree = Actors.Tree
module Supervisor = Actors.Supervisor

module Hosted = Hosted

let publisher = Publisher.create
let reader runtime message = Reader.create runtime message
let subscribe runtime message callback = Subscription.create runtime message callback
