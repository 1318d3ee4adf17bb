(** Mycelium for OCaml: publish messages, read them, be called back, and run actors under supervisors, in one
    process with Rust, Python and C.

    The messages are those that [mycelium gen --lang ocaml] writes from a contract. The bus is that of Rust:
    what [docs/semantics.md] promises of order, queues, policies and supervision holds here. [docs/ocaml.md]
    walks through it.

    {b Threads.} Every function may be called on every thread of OCaml. Functions that wait say so; they let
    other threads of OCaml run meanwhile. Callbacks run on the runtime's delivery thread, one for all of them;
    each actor has a thread of its own. [Thread.exit] must not be called there. A recursion without end on
    such a thread ends the process under OCaml 4: the system gives it no larger stack.

    {b Errors.} Functions raise {!Error}, unless they say otherwise. An exception of a callback or of an actor
    goes to no other code: see {!Subscription} and {!Actor}. *)

(** What kind of error it is. *)
type kind =
  | Closed  (** the runtime, or what was asked of, is closed *)
  | Full  (** a queue is full *)
  | Timeout  (** no answer came in time *)
  | Contract  (** the contract cannot be read, or has no such message or topic *)
  | Digest  (** the program was generated from another contract *)
  | Value  (** the bytes are no value of their message *)
  | Buffer  (** an array is too small, or the next message is none of those that it takes *)
  | Inside  (** a callback called what waits for callbacks; or no actor's code runs here *)
  | No_address  (** nobody is there, or has ended *)
  | Tree  (** a supervision tree did not start or end as it should *)
  | Callback  (** a callback or an answer failed, or has not returned in time *)
  | System  (** threads, memory, handles, a library of another version *)
  | Argument  (** a number or a text that makes no sense *)
  | Handle  (** what was closed is used *)
  | Panic  (** a fault of Mycelium, which goes on; please report it *)
  | Forked  (** the process was forked after this was made *)
  | Interrupted  (** a wait was ended; a handler of a signal that raises ends it with its own exception *)
  | Topology  (** a topology cannot be used: the text has the file, the line, the cause and the remedy *)

(** The text says what is wrong, and what to do about it. *)
exception Error of kind * string

(** The version of the library, such as ["0.1.0"]. *)
val version : string

(** An array of bytes outside of OCaml's heap: what batches are read into. *)
type bigstring = (char, Bigarray.int8_unsigned_elt, Bigarray.c_layout) Bigarray.Array1.t

(** A message of a contract: every message module that [mycelium gen --lang ocaml] writes is one. *)
module type MESSAGE = sig
  type t

  val name : string
  val type_id : int
  val topic : string
  val version : int
  val root_len : int
  val fixed : bool
  val digest : int64
  val encode : t -> bytes
  val read : version:int -> root_len:int -> bytes -> (t, string) result
end

(** A message module as a value: [(module Trade)]. *)
type 'a message = (module MESSAGE with type t = 'a)

(** A message of any kind, encoded. *)
type raw = {
  type_id : int;
  version : int;  (** of the value *)
  root_len : int;  (** how many of its last bytes are its root *)
  stamp : int;  (** its place in the order of the bus; 0 for what was told or asked *)
  published_ns : int;  (** when it was published, in nanoseconds since 1970; 0 for what was told or asked *)
  sender : int;  (** the id of the actor that published it; 0 for somebody outside *)
  bytes : bytes;
}

(** What happens when a subscription is full. *)
type policy =
  | Block  (** publishers wait *)
  | Drop_oldest  (** the oldest message is dropped, and counted *)
  | Drop_newest  (** the new message is dropped, and counted *)
  | Fail  (** the publish fails with [Full] *)

(** Messages of any kind. *)
module Raw : sig
  type t = raw

  (** The value. Digests are not looked at: {!Runtime.check} does.

      @raise Error [Value]: it is another message, or the bytes are no value of it. *)
  val decode : 'a message -> raw -> 'a

  (** Whether it is this message. *)
  val is : 'a message -> raw -> bool
end

(** A bus, and the threads below it. *)
module Runtime : sig
  type t

  (** The counters of a topic. What is published is, for each subscriber, delivered, waiting, dropped or a
      dead letter. *)
  type topic_stats = { published : int; delivered : int; waiting : int; dropped : int; dead_letters : int }

  (** [create contract] starts a runtime whose messages are those of [contract]: the value [contract] of a
      generated library, or the text of a [contracts.yaml]. A contract stays in memory as long as the process.

      - [workers]: threads that run supervisors and timers; 1 unless given. Actors and callbacks have their
        own.
      - [topic_capacity]: how many messages may wait for a subscriber that does not say it.
      - [inbox_capacity]: how many messages that were told or asked wait for one actor.
      - [seed]: from which random numbers of actors are drawn.
      - [schema_digest]: that of the generated library; another contract is an error then.
      - [backtraces]: whether exceptions of this program have backtraces ([Printexc.record_backtrace true]);
        [true] unless given.

      What is not closed is closed when the program ends ([at_exit]), which waits 5 s at most.

      @raise Error [Contract], [Digest], [Argument], [System] *)
  val create :
    ?workers:int ->
    ?topic_capacity:int ->
    ?inbox_capacity:int ->
    ?seed:int ->
    ?schema_digest:int64 ->
    ?backtraces:bool ->
    string ->
    t

  (** The same for a [contracts.yaml] in a file. *)
  val of_file :
    ?workers:int ->
    ?topic_capacity:int ->
    ?inbox_capacity:int ->
    ?seed:int ->
    ?schema_digest:int64 ->
    ?backtraces:bool ->
    string ->
    t

  (** [of_topology ~name "topology.toml" contract] is the runtime of the process that this file describes
      under [name]: of a node, or of a service that runs in it. It listens when this returns, and dials from
      then on: the processes may start in any order, and each may be a program in OCaml, Rust, Python or C.
      Messages are received by the subscribers in all of them. In a monolith it neither listens nor dials, and
      the program is the same. {!close} waits until the other processes have what was published.
      [docs/topology.md] has the keys of the file. The other arguments are those of {!create}.

      {[
        let runtime = Mycelium.Runtime.of_topology ~name:"feed" "topology.toml" contract
      ]}

      @raise Error [Topology]: the file cannot be read, has a mistake or has no such name, or the node cannot
      listen; [Contract], [Digest], [Argument], [System] *)
  val of_topology :
    ?workers:int ->
    ?topic_capacity:int ->
    ?inbox_capacity:int ->
    ?seed:int ->
    ?schema_digest:int64 ->
    ?backtraces:bool ->
    name:string ->
    string ->
    string ->
    t

  (** Ends everything within [deadline] seconds, 5 unless given: takes nothing more from outside, ends trees
      and actors in their order, calls callbacks for what still waits, and stops all threads. It waits. When
      it returns, no callback runs. Closing twice does nothing; what uses a closed runtime is an error.

      @raise Error [Inside] from a callback or an actor, and nothing is closed; [Tree] names actors that did
      not end in time, [Callback] says that a callback has not returned: it is closed all the same, and so it
      is where a handler of a signal raises. *)
  val close : ?deadline:float -> t -> unit

  (** [run runtime work] is [work runtime], and closes it then, also when [work] raises. *)
  val run : ?deadline:float -> t -> (t -> 'a) -> 'a

  val is_closed : t -> bool

  (** What the bus counts, as a text for people. *)
  val stats : t -> string

  (** The counters of the topic of one message. *)
  val topic_stats : t -> 'a message -> topic_stats

  (** How many callbacks have raised. *)
  val failures : t -> int

  (** Whether the contract has this message as the program was generated with it. The functions that take a
      message check it by themselves.

      @raise Error [Digest], [Contract] *)
  val check : t -> 'a message -> unit
end

(** Publishing messages of one type. The message is looked up where the publisher is made: make it once and
    keep it. Any number of threads and domains may use it. *)
module Publisher : sig
  type 'a t

  (** @raise Error [Digest], [Contract], [Closed] *)
  val create : Runtime.t -> 'a message -> 'a t

  (** Publishes, and waits while a [Block] subscriber is full. When it returns, each queue has the message, or
      has counted it as dropped. From an actor's code it is the actor who publishes.

      It does not check the rules of the contract: [validate] does.

      @raise Error [Closed], [Full] (a [Fail] subscriber is full), [Value] (the bytes are no value of the
      message), [Inside] (it would wait for this thread itself)
      @raise Invalid_argument as [encode] does *)
  val publish : 'a t -> 'a -> unit

  (** The same without waiting: [false] where it would, and nobody has the message. *)
  val try_publish : 'a t -> 'a -> bool

  (** {!publish} of a value that [encode] has given. *)
  val publish_encoded : 'a t -> bytes -> unit

  (** All of them in their order, in fewer calls for messages of fixed size. It waits. Of those up to the
      error all are published, whether [encode] raises it or the bus. An exception of a signal's handler may
      come up anywhere: [published] is how many the bus has, whatever is raised, and those behind them are
      still to be published.

      @raise Error as {!publish} *)
  val publish_many : ?published:int ref -> 'a t -> 'a array -> unit

  (** The first [count] values that lie in an array, one behind the other, of a message of fixed size. It
      waits, and [published] is as above. What other threads write to the array meanwhile may be published,
      or what was there before.

      @raise Error as {!publish}, and [Buffer] (no fixed size), [Argument] (the array is too short) *)
  val publish_array : ?published:int ref -> 'a t -> bigstring -> count:int -> unit
end

(** Receiving by asking. *)
module Reader : sig
  (** Of values of ['a]. One thread at a time uses it. One that is not used any more is closed when the
      collector finds it; until then its queue fills, so close it. *)
  type 'a t

  (** The messages of this type from now on. [capacity] messages may wait; the runtime's [topic_capacity]
      unless given.

      @raise Error [Digest], [Contract], [Closed] *)
  val create : ?policy:policy -> ?capacity:int -> Runtime.t -> 'a message -> 'a t

  (** The messages of any type on these topics. A name that ends with [*] stands for all that begin so. *)
  val raw : ?policy:policy -> ?capacity:int -> Runtime.t -> string list -> raw t

  (** The next message, if one is there. It does not wait.

      @raise Error [Closed] once the runtime is closed and all that waited was read; [Value]: the message
      cannot be decoded, and is passed *)
  val poll : 'a t -> 'a option

  (** The next message. It waits [timeout] seconds at most, or as long as it takes. *)
  val recv : ?timeout:float -> 'a t -> 'a option

  (** Waits until a message is there; whether one is. *)
  val wait : ?timeout:float -> 'a t -> bool

  (** Calls a function with each message that is there, [most] of them at most; with how many. It does not
      wait. Where the function raises, its message is passed and the next one comes next. *)
  val drain : 'a t -> ?most:int -> ('a -> unit) -> int

  (** Copies the values that are there into the array, one behind the other, as many as fit; how many. They
      are of one message of fixed size, [root_len] bytes each, and in the version that this program knows. It
      does not wait.

      @raise Error [Buffer]: not one fits, or the next message is of an older version, which {!poll} reads *)
  val read_into : 'a t -> bigstring -> int

  (** Ends it. What waits is dropped, and counted. *)
  val close : 'a t -> unit
end

(** Being called for each message, in order, on one thread for all callbacks of a runtime: one that takes long
    keeps the others waiting. One that raises is counted ({!Runtime.failures}) and logged, and the next
    message comes. *)
module Subscription : sig
  type t

  (** Calls with each message of this type from now on.

      @raise Error [Digest], [Contract], [Closed] *)
  val create : ?policy:policy -> ?capacity:int -> Runtime.t -> 'a message -> ('a -> unit) -> t

  (** The same for the messages of any type on these topics, encoded. *)
  val raw : ?policy:policy -> ?capacity:int -> Runtime.t -> string list -> (raw -> unit) -> t

  (** Ends it. It waits for the callback that runs, unless that calls it. Afterwards it is called no more. *)
  val cancel : t -> unit
end

(** Talking to one actor. *)
module Address : sig
  type t

  (** An actor by its path, such as ["root/desk"], or one of Rust by the name that it was exposed with. It
      stays valid over restarts, and does not keep the actor alive.

      @raise Error [No_address] *)
  val find : Runtime.t -> string -> t

  val path : t -> string

  (** Whether it has not ended. One that waits for its restart has not. *)
  val is_alive : t -> bool

  (** Puts a message into its mailbox, and waits while that is full. It may not have been handled when this
      returns.

      @raise Error [No_address], [Digest], [Contract] *)
  val tell : t -> 'a message -> 'a -> unit

  (** [ask address (module Query) query (module Answer)] waits for the answer, [timeout] seconds at most, or
      as long as it takes.

      @raise Error [Timeout]; [Callback]: the actor failed to answer, with its text; [No_address]; [Inside]:
      it would wait for itself; [Digest], [Contract] *)
  val ask : ?timeout:float -> t -> 'q message -> 'q -> 'r message -> 'r
end

(** The actor whose code runs on this thread: to be called from there, on no other thread.

    @raise Error [Inside] elsewhere *)
module Self : sig
  (** Has the actor's {!Actor.timer} called with this number after [ns] nanoseconds, in place of the timer
      that has the number. It ends with this life. *)
  val schedule_after : ns:int -> int -> unit

  (** The same again and again. *)
  val schedule_every : ns:int -> int -> unit

  (** Calls the timer with this number off: whether there was one. *)
  val cancel : int -> bool

  (** Has {!Actor.down} called with this number when that actor has ended; soon if it has. *)
  val watch : Address.t -> int -> unit

  (** Ends the actor, normally, after this call. *)
  val stop : unit -> unit

  (** Says that the actor counts as started, where its child was made with [ready_when_told]. *)
  val ready : unit -> unit

  (** The time on the bus's clock, in nanoseconds since 1970. *)
  val now_ns : unit -> int

  (** The actor's id, which its messages have as their [sender]. *)
  val id : unit -> int
end

(** Actors: state, and functions that make the next state of it. Each has a thread of its own. *)
module Actor : sig
  (** What an actor with the state ['s] does with one kind of event. *)
  type 's handler

  (** The messages of this type on its topic, which the actor subscribes to, and those that are told to it. *)
  val on : 'm message -> ('s -> 'm -> 's) -> 's handler

  (** Those alone that are told to it. *)
  val told : 'm message -> ('s -> 'm -> 's) -> 's handler

  (** A query and its answer. An exception goes to whoever asked ([Callback]), and the life goes on as if it
      had not been asked. *)
  val answer : 'q message -> 'r message -> ('s -> 'q -> 's * 'r) -> 's handler

  (** The timers of {!Self.schedule_after}, by their numbers. *)
  val timer : ('s -> int -> 's) -> 's handler

  (** Actors that it watches have ended: the number of {!Self.watch}, and why. *)
  val down : ('s -> int -> string -> 's) -> 's handler

  (** After each batch of messages, but for one that the end of the life ends: [stopping] comes then alone. *)
  val batch_ended : ('s -> 's) -> 's handler

  module type S = sig
    (** What each life is made of. *)
    type config

    type state

    (** The state that a life begins with. An exception is a failed start. *)
    val started : config -> state

    (** Of two for the same event the first counts. An exception ends the life: its text and its backtrace are
        the reason that the supervisor, the log and whoever watches see. The message in hand is a dead letter,
        or is tried again ([attempts]); the others wait for the next life. *)
    val handle : state handler list

    (** Before the end of a life that was told to stop or has failed: why. *)
    val stopping : state -> string -> unit
  end
end

module type ACTOR = Actor.S

(** A supervision tree that runs. *)
module Tree : sig
  type t

  (** Ends it, its children in reverse order, within [deadline] seconds, 5 unless given. Not from a callback
      or an actor. *)
  val shutdown : ?deadline:float -> t -> unit

  (** Why it has ended, if it has, or does within [timeout] seconds (0 unless given). *)
  val ended : ?timeout:float -> t -> string option

  (** Stops the child at this path, which is not restarted. Not from a callback or an actor. *)
  val terminate : t -> string -> unit

  (** Starts the child at this path, which has ended, again. Not from a callback or an actor. *)
  val restart : t -> string -> unit
end

(** Describing supervision trees. [docs/supervision.md] says what strategies, intensity, backoff and health
    mean. *)
module Supervisor : sig
  (** Which children are restarted when one ends: that one, all, or that one and those after it. *)
  type strategy = One_for_one | One_for_all | Rest_for_one

  (** When a child is restarted: always, after a failure, never. *)
  type restart = Permanent | Transient | Temporary

  (** How long a child waits for its restart: [initial] seconds, doubled with each failure up to [cap], a
      share of [jitter] (0 to 1) of it random, and from the beginning again after [reset_after] seconds
      without a failure. *)
  type backoff = { initial : float; cap : float; jitter : float; reset_after : float }

  type t
  type child

  (** [actor id (module A) config] is a child of this name whose lives [A.started config] begins.

      - [policy] and [capacity] are those of its subscriptions.
      - [attempts]: how often a message on which it fails is tried in all; 1 unless given.
      - [stuck_after]: it is reported after so many seconds without progress, and restarted if [heals]. A
        function that never returns cannot be ended.
      - [ready_when_told]: it counts as started when it calls {!Self.ready}.
      - [shutdown]: how many seconds it may take to end; 5 unless given. *)
  val actor :
    ?restart:restart ->
    ?policy:policy ->
    ?capacity:int ->
    ?attempts:int ->
    ?stuck_after:float ->
    ?heals:bool ->
    ?ready_when_told:bool ->
    ?shutdown:float ->
    string ->
    (module ACTOR with type config = 'c) ->
    'c ->
    child

  (** A supervisor as a child of another. *)
  val below : t -> child

  (** [create name children] describes one: one-for-one, one restart within 5 seconds ([intensity]), and the
      framework's backoff, unless given. *)
  val create : ?strategy:strategy -> ?intensity:int * float -> ?backoff:backoff -> string -> child list -> t

  (** Starts it, and waits until all children run. A description may be started again.

      @raise Error [Tree], with the reason; [Digest], [Contract] of what its actors handle; [Closed] *)
  val start : Runtime.t -> t -> Tree.t
end

(** {!Publisher.create} *)
val publisher : Runtime.t -> 'a message -> 'a Publisher.t

(** {!Reader.create} with the usual policy and capacity. *)
val reader : Runtime.t -> 'a message -> 'a Reader.t

(** {!Subscription.create} with the usual policy and capacity. *)
val subscribe : Runtime.t -> 'a message -> ('a -> unit) -> Subscription.t

(** Actors for a Rust program that this code is linked into: see [docs/ocaml.md], "OCaml actors in a Rust
    program". *)
module Hosted : sig
  (** [register name (module A) configure] has the Rust program find the actor [A] by this name. [configure]
      is called with the program's bus when the program asks for the actor, before it starts: its result is
      what each life is made of. To be called at the top level of a module, so that it is done when OCaml has
      started. Restart, redelivery, health and backoff are the tree's, in Rust.

      - [policy] and [capacity] are those of its subscriptions.

      @raise Error [Argument]: the name is taken *)
  val register :
    ?policy:policy -> ?capacity:int -> string -> (module ACTOR with type config = 'c) -> (Runtime.t -> 'c) -> unit

  (** Whether a Rust program has started this code. *)
  val is_hosted : unit -> bool
end
