open Base
module Address = Messages.Address

module Self = struct
  external schedule_ : int -> int -> bool -> unit = "mycelium_ml_schedule"
  external cancel : int -> bool = "mycelium_ml_cancel"
  external watch_ : int64 -> int -> unit = "mycelium_ml_watch"
  external stop : unit -> unit = "mycelium_ml_stop"
  external ready : unit -> unit = "mycelium_ml_ready"
  external now_ns : unit -> int = "mycelium_ml_now"
  external id : unit -> int = "mycelium_ml_id"

  let schedule ~repeats ~ns number =
    if ns < 0 then error Argument (Printf.sprintf "ns is %d: give 0 or more" ns);
    schedule_ number ns repeats

  let schedule_after ~ns number = schedule ~repeats:false ~ns number
  let schedule_every ~ns number = schedule ~repeats:true ~ns number

  let watch (address : Address.t) number =
    watch_ address.handle number;
    Address.held address
end

module Actor = struct
  type 's handler =
    | Message of { type_id : int; digest : int64; topic : string option; handle : 's -> raw -> 's }
    | Query of { type_id : int; digests : (int * int64) list; answer : 's -> raw -> 's }
    | Timer of ('s -> int -> 's)
    | Down of ('s -> int -> string -> 's)
    | Batch_ended of ('s -> 's)

  module type S = sig
    type config
    type state

    val started : config -> state
    val handle : state handler list
    val stopping : state -> string -> unit
  end

  external reply : int -> bytes -> unit = "mycelium_ml_reply"

  let message (type a) (module M : MESSAGE with type t = a) topic handle =
    let decode = Raw.decode (module M) in
    Message { type_id = M.type_id; digest = M.digest; topic; handle = (fun state raw -> handle state (decode raw)) }

  let on (type a) (module M : MESSAGE with type t = a) handle = message (module M) (Some M.topic) handle
  let told message_ handle = message message_ None handle

  let answer (type q r) (module Q : MESSAGE with type t = q) (module R : MESSAGE with type t = r) answer =
    let decode = Raw.decode (module Q) in
    let answer state raw =
      let state, reply_ = answer state (decode raw) in
      reply R.type_id (R.encode reply_);
      state
    in
    Query { type_id = Q.type_id; digests = [ (Q.type_id, Q.digest); (R.type_id, R.digest) ]; answer }

  let timer handle = Timer handle
  let down handle = Down handle
  let batch_ended handle = Batch_ended handle

  (* One life, as the stubs call it: the order of the fields is theirs. *)
  type instance = {
    started : unit -> verdict;
    message : raw -> verdict;
    told : raw -> verdict;
    query : raw -> verdict;
    timer : int -> verdict;
    down : int -> string -> verdict;
    batch_ended : unit -> verdict;
    stopping : string -> unit;
  }

  let unknown what raw =
    Failed
      (Printf.sprintf "this actor %s no message with type id %d: check whom you address, or add it to `handle`" what
         raw.type_id)

  (* The functions of one kind, by type id; of two the first. *)
  let table pick handlers =
    let all = List.filter_map pick handlers in
    let table = Array.make (1 + List.fold_left (fun most (id, _) -> max most id) 0 all) None in
    List.iter (fun (id, handle) -> table.(id) <- Some handle) (List.rev all);
    fun id -> if id < Array.length table then Array.unsafe_get table id else None

  let instance (type c s) (module A : S with type config = c and type state = s) (config : c) =
    let of_topic = function Message { type_id; topic = Some _; handle; _ } -> Some (type_id, handle) | _ -> None in
    let of_inbox = function Message { type_id; handle; _ } -> Some (type_id, handle) | _ -> None in
    let of_query = function Query { type_id; answer; _ } -> Some (type_id, answer) | _ -> None in
    let messages = table of_topic A.handle in
    let inbox = table of_inbox A.handle and queries = table of_query A.handle in
    let timer = List.find_map (function Timer handle -> Some handle | _ -> None) A.handle in
    let down = List.find_map (function Down handle -> Some handle | _ -> None) A.handle in
    let batch_ended = List.find_map (function Batch_ended handle -> Some handle | _ -> None) A.handle in
    (* Called for each life. *)
    fun () ->
      let state = ref None in
      let step next =
        match !state with
        | None -> Failed "the life has not begun"
        | Some now -> (
            match next now with
            | after ->
                if after != now then state := Some after;
                Fine
            | exception raised -> describe raised)
      in
      let given what handlers raw =
        match handlers raw.type_id with Some handle -> step (fun now -> handle now raw) | None -> unknown what raw
      in
      {
        started =
          (fun () ->
            match A.started config with
            | first ->
                state := Some first;
                Fine
            | exception raised -> describe raised);
        message = (fun raw -> match messages raw.type_id with Some h -> step (fun now -> h now raw) | None -> Fine);
        told = given "takes" inbox;
        query = given "answers" queries;
        timer = (fun number -> match timer with Some h -> step (fun now -> h now number) | None -> Fine);
        down = (fun number why -> match down with Some h -> step (fun now -> h now number why) | None -> Fine);
        batch_ended = (fun () -> match batch_ended with Some h -> step h | None -> Fine);
        stopping =
          (fun why ->
            match !state with
            | None -> ()
            | Some last -> (
                try A.stopping last why
                with raised -> (
                  match describe raised with
                  | Failed text -> prerr_endline ("mycelium: `stopping` has failed: " ^ text)
                  | Fine -> ())));
      }

  let ends_batches handlers = List.exists (function Batch_ended _ -> true | _ -> false) handlers

  (* What it subscribes to: topics, and the messages of them that it handles. *)
  let topics handlers =
    let wanted = function
      | Message { type_id; topic = Some topic; _ } -> Some (topic, type_id)
      | _ -> None
    in
    let all = List.filter_map wanted handlers in
    let names = List.sort_uniq compare (List.map fst all) in
    let ids = List.sort_uniq compare (List.map snd all) in
    String.concat "," (names @ List.map (Printf.sprintf "#%d") ids)

  let check (runtime : Runtime.t) handlers =
    let check (type_id, digest) = Runtime.check_message_ runtime.handle type_id digest in
    List.iter
      (function
        | Message { type_id; digest; _ } -> check (type_id, digest)
        | Query { digests; _ } -> List.iter check digests
        | Timer _ | Down _ | Batch_ended _ -> ())
      handlers
end

module type ACTOR = Actor.S

module Tree = struct
  type t = { handle : int64; mutable ended : bool }

  external shutdown_ : int64 -> int -> unit = "mycelium_ml_tree_shutdown"
  external ended_ : int64 -> int -> string option = "mycelium_ml_tree_ended"
  external child_ : int64 -> string -> bool -> unit = "mycelium_ml_tree_child"

  let has_ended handle = match ended_ handle 0 with None -> false | Some _ | (exception Error _) -> true

  (* To free the handle of one that runs would end it. *)
  let forget runtime { handle; ended } =
    if ended then ignore (free handle)
    else Runtime.leave runtime { Runtime.it = handle; is_over = (fun () -> has_ended handle) }

  let make runtime handle =
    let tree = { handle; ended = false } in
    Gc.finalise (forget runtime) tree;
    tree

  let shutdown ?(deadline = 5.0) tree =
    shutdown_ tree.handle (ms "deadline" deadline);
    tree.ended <- true

  let ended ?(timeout = 0.0) tree = ended_ tree.handle (ms "timeout" timeout)
  let terminate tree path = child_ tree.handle path false
  let restart tree path = child_ tree.handle path true
end

module Supervisor = struct
  type strategy = One_for_one | One_for_all | Rest_for_one
  type restart = Permanent | Transient | Temporary
  type backoff = { initial : float; cap : float; jitter : float; reset_after : float }

  type t = {
    name : string;
    strategy : strategy;
    intensity : int * float;
    backoff : backoff option;
    children : child list;
  }

  and child = Actor of { id : string; add : Runtime.t -> int64 -> unit } | Below of t

  external supervisor_ : string -> int * int * int * bool * int * int * int -> float -> int64
    = "mycelium_ml_supervisor"

  external add_actor_ :
    int64 ->
    int64 ->
    string ->
    string ->
    int * int * int * int * int * bool * bool * int * bool ->
    (unit -> Actor.instance) ->
    unit = "mycelium_ml_add_actor_byte" "mycelium_ml_add_actor"

  external add_supervisor_ : int64 -> int64 -> unit = "mycelium_ml_add_supervisor"
  external start_ : int64 -> int64 -> int64 = "mycelium_ml_tree"

  let actor (type c) ?(restart = Permanent) ?(policy = Block) ?(capacity = 0) ?(attempts = 1) ?(stuck_after = 0.0)
      ?(heals = false) ?(ready_when_told = false) ?(shutdown = 0.0) id
      (module A : ACTOR with type config = c) (config : c) =
    let ends_batches = Actor.ends_batches A.handle in
    let restart = match restart with Permanent -> 0 | Transient -> 1 | Temporary -> 2 in
    let numbers =
      ( number_of_policy policy,
        natural "capacity" capacity,
        restart,
        natural "attempts" attempts,
        ms "stuck_after" stuck_after,
        heals,
        ready_when_told,
        ms "shutdown" shutdown,
        ends_batches )
    in
    let add runtime supervisor =
      Actor.check runtime A.handle;
      let make = Actor.instance (module A) config in
      add_actor_ supervisor runtime.Runtime.handle id (Actor.topics A.handle) numbers make
    in
    Actor { id; add }

  let below supervisor = Below supervisor

  let create ?(strategy = One_for_one) ?(intensity = (1, 5.0)) ?backoff name children =
    { name; strategy; intensity; backoff; children }

  let begin_ { name; strategy; intensity = restarts, period; backoff; _ } =
    let strategy = match strategy with One_for_one -> 0 | One_for_all -> 1 | Rest_for_one -> 2 in
    let { initial; cap; jitter; reset_after } =
      match backoff with Some backoff -> backoff | None -> { initial = 0.0; cap = 0.0; jitter = 0.0; reset_after = 0.0 }
    in
    let numbers =
      ( strategy,
        natural "intensity" restarts,
        ms "period" period,
        backoff <> None,
        ms "initial" initial,
        ms "cap" cap,
        ms "reset_after" reset_after )
    in
    supervisor_ name numbers jitter

  let freeing handle work = Fun.protect ~finally:(fun () -> ignore (free handle)) (fun () -> work handle)

  let rec describe runtime supervisor handle =
    let add = function
      | Actor { add; _ } -> add runtime handle
      | Below below ->
          freeing (begin_ below) (fun inner ->
              describe runtime below inner;
              add_supervisor_ handle inner)
    in
    List.iter add supervisor.children

  let start (runtime : Runtime.t) supervisor =
    freeing (begin_ supervisor) (fun handle ->
        describe runtime supervisor handle;
        Tree.make runtime (start_ runtime.handle handle))
end
