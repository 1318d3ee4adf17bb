(* What the tests share. *)

open Ocaml_desk_messages

let runtime ?topic_capacity () = Mycelium.Runtime.create ?topic_capacity ~schema_digest:schema_digest contract

(* How long a test waits before it gives up (a watchdog). *)
let watchdog = 60.0

let rec until ?(left = int_of_float (watchdog *. 1000.0)) what is_so =
  if not (is_so ()) then (
    if left = 0 then failwith ("not in time: " ^ what);
    Thread.delay 0.001;
    until ~left:(left - 1) what is_so)

let equal what show wanted got =
  if wanted <> got then failwith (Printf.sprintf "%s: %s and not %s" what (show got) (show wanted))

let int what wanted got = equal what string_of_int wanted got
let string what wanted got = equal what (Printf.sprintf "%S") wanted got
let true_ what condition = if not condition then failwith ("not so: " ^ what)

let contains text part =
  let len = String.length part in
  let rec at i = i + len <= String.length text && (String.sub text i len = part || at (i + 1)) in
  at 0

(* An error of this kind, whose text has this word. *)
let wrong what kind word call =
  match call () with
  | _ -> failwith (what ^ " is no error")
  | exception Mycelium.Error (got, text) ->
      if got <> kind then failwith (Printf.sprintf "%s: another kind of error: %s" what text);
      if not (contains text word) then failwith (Printf.sprintf "%s: %S does not say %S" what text word)

let trade ?(price = 1.5) ?(lots = 1) number = { Trade.number = Int64.of_int number; price; lots; side = Side.Buy }
let number (trade : Trade.t) = Int64.to_int trade.number

(* A generator of its own, whose seed is printed. *)
let random name =
  let seed = match Sys.getenv_opt "MYCELIUM_SEED" with Some seed -> int_of_string seed | None -> 20_261_123 in
  Printf.printf "%s: seed %d\n%!" name seed;
  Random.State.make [| seed |]

(* A line of /proc/self/status, as a number: kilobytes, or threads. *)
let status key =
  let file = open_in "/proc/self/status" in
  let rec find () =
    let line = input_line file in
    match String.index_opt line ':' with
    | Some at when String.sub line 0 at = key ->
        Scanf.sscanf (String.sub line (at + 1) (String.length line - at - 1)) " %d" Fun.id
    | _ -> find ()
  in
  Fun.protect ~finally:(fun () -> close_in file) find

(* That the memory of the process has grown by less than [most] KiB. It is said in any case, and not judged
   where MYCELIUM_MEMORY is `unjudged`: a checker such as valgrind keeps what was freed, and notes beside. *)
let grown_since before ~most what =
  let grown = status "VmRSS" - before in
  match Sys.getenv_opt "MYCELIUM_MEMORY" with
  | Some "unjudged" -> Printf.printf "%s: %d KiB more, NOT JUDGED\n" what grown
  | _ ->
      Printf.printf "%s: %d KiB more\n" what grown;
      if grown >= most then failwith (Printf.sprintf "%s: %d KiB are allowed" what most)

exception Interrupted

(* A signal for the thread that waits: in a moment, and when this holds. *)
let interrupt_soon holds =
  Sys.set_signal Sys.sigusr1 (Signal_handle (fun _ -> raise Interrupted));
  let signal () =
    ignore (Thread.sigmask SIG_BLOCK [ Sys.sigusr1 ]);
    until "what is interrupted" holds;
    Thread.delay 0.3;
    Unix.kill (Unix.getpid ()) Sys.sigusr1
  in
  ignore (Thread.create signal ())

(* On a busy machine the signal may come before the call, where nothing is said to hold in it. *)
let interrupted ?(once = fun () -> true) what call =
  match
    interrupt_soon once;
    call ()
  with
  | _ -> failwith (what ^ " came to its end")
  | exception Interrupted -> ()

let run name test =
  match test () with
  | () -> Printf.printf "%s: fine\n%!" name
  | exception raised ->
      let trace = Printexc.get_backtrace () in
      Printf.eprintf "%s: %s\n%s%!" name (Printexc.to_string raised) trace;
      exit 1
