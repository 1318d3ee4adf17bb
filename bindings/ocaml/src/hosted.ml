open Base
open Actors

(* What the stubs make a child of: the order of the fields is theirs. *)
type described = { make : unit -> Actor.instance; topics : string; policy : int; capacity : int; ends_batches : bool }

external is_hosted : unit -> bool = "mycelium_ml_is_hosted"

module Names = Map.Make (String)

let known : (Runtime.t -> described) Names.t Atomic.t = Atomic.make Names.empty

let register (type c) ?(policy = Block) ?(capacity = 0) name (module A : ACTOR with type config = c) configure =
  let capacity = natural "capacity" capacity in
  let describe runtime =
    Actor.check runtime A.handle;
    {
      make = Actor.instance (module A) (configure runtime);
      topics = Actor.topics A.handle;
      policy = number_of_policy policy;
      capacity;
      ends_batches = Actor.ends_batches A.handle;
    }
  in
  Runtime.change known (fun all ->
      if Names.mem name all then
        error Argument (Printf.sprintf "an actor is registered as %S already: give each a name of its own" name);
      Names.add name describe all)

(* What is called from Rust raises nothing. *)
let said work =
  match work () with
  | result -> Ok result
  | exception Error (_, text) -> Result.Error text
  | exception raised -> ( match describe raised with Failed text -> Result.Error text | Fine -> Result.Error "")

let enter handle =
  Printexc.record_backtrace true;
  Runtime.of_handle handle

let actor runtime name =
  said (fun () ->
      match Names.find_opt name (Atomic.get known) with
      | Some describe -> describe runtime
      | None ->
          let names = List.map fst (Names.bindings (Atomic.get known)) in
          let names = if names = [] then "none is" else String.concat ", " names ^ (if List.length names > 1 then " are" else " is") in
          error Argument
            (Printf.sprintf
               "no actor of OCaml is registered as %S (%s): register it with Mycelium.Hosted.register, at the top level of a \
                module that is linked"
               name names))

(* [exit] would end the Rust program. *)
let rec refuse_exit () =
  at_exit refuse_exit;
  error Inside "exit would end the Rust program that hosts this code: raise an exception, or call Self.stop"

let () =
  Callback.register "mycelium.hosted.enter" enter;
  Callback.register "mycelium.hosted.actor" actor;
  Callback.register "mycelium.hosted.leave" Runtime.closed;
  if is_hosted () then (
    at_exit refuse_exit;
    (* The thread by which threads take turns begins with the first one: here, and not under the name of an
       actor. *)
    Thread.join (Thread.create ignore ()))
