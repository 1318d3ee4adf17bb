type kind =
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

exception Error of kind * string

let () =
  Callback.register_exception "mycelium.error" (Error (Closed, ""));
  Printexc.register_printer (function
    | Error (_, text) -> Some ("Mycelium.Error: " ^ text)
    | _ -> None);
  (* The thread library is to be there before a thread of Mycelium calls. *)
  ignore (Thread.self ())

let error kind text = raise (Error (kind, text))

type bigstring = (char, Bigarray.int8_unsigned_elt, Bigarray.c_layout) Bigarray.Array1.t

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

type 'a message = (module MESSAGE with type t = 'a)

type raw = {
  type_id : int;
  version : int;
  root_len : int;
  stamp : int;
  published_ns : int;
  sender : int;
  bytes : bytes;
}

type policy = Block | Drop_oldest | Drop_newest | Fail

(* What a closure that Mycelium calls says. *)
type verdict = Fine | Failed of string

(* The numbers are those of `mycelium.h`. *)
let number_of_policy = function Block -> 0 | Drop_oldest -> 1 | Drop_newest -> 2 | Fail -> 3

(* Milliseconds, rounded up: a wait is never shorter than it was asked for. *)
let ms what seconds =
  if not (seconds >= 0.0) then error Argument (Printf.sprintf "%s is %g s: give 0 or more" what seconds)
  else if seconds > 1e12 then 1_000_000_000_000_000
  else int_of_float (ceil (seconds *. 1000.0))

let natural what number =
  if number < 0 || number > 0xffff_ffff then
    error Argument (Printf.sprintf "%s is %d: give 0 (the usual) to 4294967295" what number)
  else number

(* The text of an exception that a closure has raised: the reason of an actor's end. *)
let describe raised =
  let trace = Printexc.get_backtrace () in
  let text = Printexc.to_string raised in
  Failed (if trace = "" then text else text ^ "\n" ^ String.trim trace)

external fail : int -> 'a = "mycelium_ml_fail"
external abi_fits : unit -> bool = "mycelium_ml_abi"
external library_version : unit -> string = "mycelium_ml_version"
external free : int64 -> bool = "mycelium_ml_free"

let version = library_version ()

(* What is out of reach may have all the handles of the process: the collector frees them. *)
let with_handle make =
  try make ()
  with Error (System, _) ->
    Gc.full_major ();
    make ()

module Raw = struct
  type t = raw

  let decode (type a) (module M : MESSAGE with type t = a) raw =
    if raw.type_id <> M.type_id then
      error Value (Printf.sprintf "%s has type id %d, and this message has %d" M.name M.type_id raw.type_id);
    match M.read ~version:raw.version ~root_len:raw.root_len raw.bytes with
    | Ok value -> value
    | Error text -> error Value text

  let is (type a) (module M : MESSAGE with type t = a) raw = raw.type_id = M.type_id
end

module Runtime = struct
  (* [left]: handles of what goes on and is out of reach, to be freed when the runtime closes. [publishers]:
     one for each message that was published, by its type id, freed then as well. *)
  type t = {
    handle : int64;
    mutable closed : bool;
    left : left list Atomic.t;
    left_max : int Atomic.t;
    publishers : (int * int64) list Atomic.t;
  }

  and left = { it : int64; is_over : unit -> bool }

  type topic_stats = { published : int; delivered : int; waiting : int; dropped : int; dead_letters : int }

  (* Where the contract is, or which process of a topology the runtime is: file and name. *)
  type source = Text | File | Process of string * string

  external create_ : string -> source -> int * int * int * int -> int64 = "mycelium_ml_runtime"
  external close_ : int64 -> int -> unit = "mycelium_ml_close"
  external check_schema_ : int64 -> int64 -> unit = "mycelium_ml_check_schema"
  external check_message_ : int64 -> int -> int64 -> unit = "mycelium_ml_check_message"
  external stats_ : int64 -> string = "mycelium_ml_stats_text"
  external topic_stats_ : int64 -> int -> topic_stats = "mycelium_ml_topic_stats"
  external failures_ : int64 -> int = "mycelium_ml_failures"
  external publisher_ : int64 -> int -> int64 = "mycelium_ml_publisher"

  (* Those to close when the program ends. *)
  let all : t list Atomic.t = Atomic.make []

  (* Finalisers and handlers of signals run wherever a thread allocates, also in here: nothing is locked. *)
  let rec change at how =
    let before = Atomic.get at in
    if not (Atomic.compare_and_set at before (how before)) then change at how

  let change_all = change all

  (* Frees those that are over: all of them when the runtime is closed. *)
  let free_left runtime =
    let is_over left = runtime.closed || left.is_over () in
    let over, goes_on = List.partition is_over (Atomic.exchange runtime.left []) in
    change runtime.left (List.rev_append goes_on);
    List.iter (fun left -> ignore (free left.it)) over

  (* So many are kept before somebody looks which of them are over. *)
  let left_min = 64

  (* From a finaliser: what has this handle is out of reach. *)
  let leave runtime left =
    change runtime.left (fun others -> left :: others);
    if runtime.closed then free_left runtime
    else
      let many = Atomic.get runtime.left_max in
      if List.compare_length_with (Atomic.get runtime.left) many > 0 then (
        free_left runtime;
        Atomic.set runtime.left_max (max left_min (2 * List.length (Atomic.get runtime.left))))

  (* A runtime of the Rust program, which frees the handle. *)
  let of_handle handle =
    {
      handle;
      closed = false;
      left = Atomic.make [];
      left_max = Atomic.make left_min;
      publishers = Atomic.make [];
    }

  let free_publishers runtime = List.iter (fun (_, it) -> ignore (free it)) (Atomic.exchange runtime.publishers [])

  let closed runtime =
    runtime.closed <- true;
    change_all (List.filter (fun other -> other != runtime));
    free_publishers runtime;
    free_left runtime

  (* The handle of the publisher of this message. *)
  let rec publisher runtime type_id =
    let before = Atomic.get runtime.publishers in
    match List.assoc_opt type_id before with
    | Some it -> it
    | None ->
        let it = with_handle (fun () -> publisher_ runtime.handle type_id) in
        if Atomic.compare_and_set runtime.publishers before ((type_id, it) :: before) then (
          (* A close may have looked before. *)
          if runtime.closed then free_publishers runtime;
          it)
        else (
          ignore (free it);
          publisher runtime type_id)

  let close ?(deadline = 5.0) runtime =
    let limit = ms "deadline" deadline in
    match close_ runtime.handle limit with
    | () -> closed runtime
    | exception (Error ((Inside | Forked), _) as refused) -> raise refused
    | exception error ->
        closed runtime;
        raise error

  let () = at_exit (fun () -> List.iter (fun runtime -> try close runtime with Error _ -> ()) (Atomic.get all))

  let start ~source ?(workers = 0) ?(topic_capacity = 0) ?(inbox_capacity = 0) ?(seed = 0) ?schema_digest
      ?(backtraces = true) text =
    if not (abi_fits ()) then
      error System "libmycelium_ffi has another interface than this library was built with: build both from one clone";
    if String.contains text '\000' then error Contract "the contract holds a byte 0: give its text, or use `of_file`";
    (match source with
    | Process (path, name) when String.contains (path ^ name) '\000' ->
        error Argument "the path of the topology or the name in it holds a byte 0, which no file has: take it out"
    | Text | File | Process _ -> ());
    if backtraces then Printexc.record_backtrace true;
    let numbers =
      ( natural "workers" workers,
        natural "topic_capacity" topic_capacity,
        natural "inbox_capacity" inbox_capacity,
        seed )
    in
    let handle = with_handle (fun () -> create_ text source numbers) in
    let runtime = of_handle handle in
    (* What is closed and out of reach needs its handle no more. One that runs is reached from [all]. *)
    Gc.finalise (fun runtime -> if runtime.closed then ignore (free runtime.handle)) runtime;
    change_all (fun all -> runtime :: all);
    (match schema_digest with
    | None -> ()
    | Some digest -> (
        try check_schema_ runtime.handle digest
        with error ->
          close runtime;
          raise error));
    runtime

  let create ?workers ?topic_capacity ?inbox_capacity ?seed ?schema_digest ?backtraces contract =
    start ~source:Text ?workers ?topic_capacity ?inbox_capacity ?seed ?schema_digest ?backtraces contract

  let of_file ?workers ?topic_capacity ?inbox_capacity ?seed ?schema_digest ?backtraces path =
    start ~source:File ?workers ?topic_capacity ?inbox_capacity ?seed ?schema_digest ?backtraces path

  let of_topology ?workers ?topic_capacity ?inbox_capacity ?seed ?schema_digest ?backtraces ~name path contract =
    let source = Process (path, name) in
    start ~source ?workers ?topic_capacity ?inbox_capacity ?seed ?schema_digest ?backtraces contract

  let check runtime (type a) (module M : MESSAGE with type t = a) =
    check_message_ runtime.handle M.type_id M.digest

  let is_closed runtime = runtime.closed
  let stats runtime = stats_ runtime.handle
  let failures runtime = failures_ runtime.handle

  let topic_stats runtime (type a) (module M : MESSAGE with type t = a) =
    topic_stats_ runtime.handle M.type_id

  let run ?deadline runtime work =
    match work runtime with
    | result ->
        close ?deadline runtime;
        result
    | exception raised ->
        let trace = Printexc.get_raw_backtrace () in
        (try close ?deadline runtime with Error _ -> ());
        Printexc.raise_with_backtrace raised trace
end
