(* Runtimes of one topology: two processes that are linked, the one of a monolith, and mistakes. *)

open Ocaml_desk_messages
open Mycelium

let topology mode =
  Printf.sprintf
    {|socket_dir = "run"
[deployment]
mode = "%s"
[[nodes]]
name = "desk"
services = ["model"]
[[nodes]]
name = "market"
services = ["feed"]
|}
    mode

let write path text =
  let file = open_out path in
  output_string file text;
  close_out file

(* The path of a topology in a folder of its own, which is gone at the end. *)
let with_topology mode work =
  let folder = Filename.temp_file "mycelium" "ml" in
  Sys.remove folder;
  Unix.mkdir folder 0o700;
  let path = Filename.concat folder "topology.toml" in
  write path (topology mode);
  let remove () = ignore (Sys.command (Filename.quote_command "rm" [ "-rf"; folder ])) in
  Fun.protect ~finally:remove (fun () -> work path)

let of_topology name path = Runtime.of_topology ~schema_digest ~name path contract

(* Answers each trade with how many there were, and says that it is there until the first one comes. *)
module Counts = struct
  type config = { totals : Total.t Publisher.t; news : News.t Publisher.t }
  type state = { config : config; count : int }

  let started config =
    Self.schedule_every ~ns:10_000_000 1;
    { config; count = 0 }

  let call state _ =
    Publisher.publish state.config.news { News.text = "begin" };
    state

  let trade state trade =
    if state.count = 0 then ignore (Self.cancel 1);
    let count = state.count + 1 in
    if Check.number trade <> count then failwith "a trade is missing";
    Publisher.publish state.config.totals { Total.count = Int64.of_int count; life = 1 };
    { state with count }

  let handle = Actor.[ on (module Trade) trade; timer call ]
  let stopping _ _ = ()
end

let model rt =
  let config = { Counts.totals = Mycelium.publisher rt (module Total); news = Mycelium.publisher rt (module News) } in
  Supervisor.start rt (Supervisor.create "root" [ Supervisor.actor "counts" (module Counts) config ])

let next what reader =
  match Reader.recv ~timeout:Check.watchdog reader with
  | Some message -> message
  | None -> failwith ("not in time: " ^ what)

let count = 1000

let feed rt totals news =
  Check.string "somebody is there" "begin" (next "a begin" news).News.text;
  Publisher.publish_many (Mycelium.publisher rt (module Trade)) (Array.init count (fun n -> Check.trade (n + 1)));
  for n = 1 to count do
    Check.int "totals come in order" n (Int64.to_int (next "a total" totals).Total.count)
  done

(* What the other process does. *)
let as_feed path =
  Runtime.run ~deadline:Check.watchdog (of_topology "feed" path) @@ fun rt ->
  feed rt (Mycelium.reader rt (module Total)) (Mycelium.reader rt (module News));
  Publisher.publish (Mycelium.publisher rt (module News)) { News.text = "done" }

let two_processes_of path listens =
  Runtime.run (of_topology "model" path) (fun rt ->
      Check.true_ "it listens" (listens ());
      let news = Mycelium.reader rt (module News) in
      ignore (model rt);
      let exe = Sys.executable_name in
      let child = Unix.create_process exe [| exe; "feed"; path |] Unix.stdin Unix.stdout Unix.stderr in
      let ended = ref None in
      Check.until "the feed has ended" (fun () ->
          let pid, status = Unix.waitpid [ WNOHANG ] child in
          if pid = child then ended := Some status;
          pid = child);
      Check.true_ "the feed is content" (!ended = Some (Unix.WEXITED 0));
      let rec last text = match Reader.poll news with Some news -> last news.text | None -> text in
      Check.string "what it has published before its close has come" "done" (last ""))

let two_processes () =
  with_topology "bundled" @@ fun path ->
  let socket = Filename.concat (Filename.dirname path) "run/desk.sock" in
  let listens () = Sys.file_exists socket in
  two_processes_of path listens;
  Check.true_ "it listens no more" (not (listens ()))

(* Whoever runs this has made the certificates. *)
let over_tls () =
  match Sys.getenv_opt "MYCELIUM_TLS_TOPOLOGY" with
  | Some path -> two_processes_of path (fun () -> true)
  | None -> print_endline "without MYCELIUM_TLS_TOPOLOGY links over TLS are not tested"

let a_monolith () =
  with_topology "monolith" @@ fun path ->
  List.iter
    (fun name ->
      Runtime.run (of_topology name path) @@ fun rt ->
      let totals = Mycelium.reader rt (module Total) and news = Mycelium.reader rt (module News) in
      ignore (model rt);
      feed rt totals news;
      let run = Filename.concat (Filename.dirname path) "run" in
      Check.true_ "it does not listen" (not (Sys.file_exists run)))
    [ "desk"; "feed" ]

let mistakes () =
  with_topology "bundled" @@ fun path ->
  let wrong what word ?(name = "feed") path =
    Check.wrong what Topology word (fun () -> Runtime.of_topology ~name path contract)
  in
  wrong "no file" "check the path" (path ^ ".missing");
  wrong "no file, by its name" "topology.toml.missing" (path ^ ".missing");
  wrong "another name" ~name:"fed" "`feed`" path;
  wrong "another name, and the file" ~name:"fed" path path;
  Check.wrong "a byte 0" Argument "byte 0" (fun () -> Runtime.of_topology ~name:"fe\000ed" path contract);
  Check.wrong "another schema" Digest "mycelium gen" (fun () ->
      Runtime.of_topology ~schema_digest:5L ~name:"desk" path contract);
  Runtime.run (of_topology "desk" path) (fun _ -> wrong "taken" ~name:"desk" "desk.sock" path);
  write path (topology "bundle");
  wrong "a word that is none" "line 3" path;
  wrong "and the one that is meant" "`bundled`" path

let () =
  match Sys.argv with
  | [| _; "feed"; path |] -> as_feed path
  | _ ->
      Check.run "topology" @@ fun () ->
      mistakes ();
      a_monolith ();
      two_processes ();
      over_tls ()
