(* Holds a generated library against cases that the Rust tests have written: check.exe CASES.

   Each line is one value as bytes, with what a reader must say of it: message, version, length of the root,
   verdict, bytes, value as JSON (empty where it is not known), whether it encodes to the same bytes, and what
   validate must say. *)

module Library = Views.Library

let of_hex text =
  Bytes.init (String.length text / 2) (fun at -> Char.chr (int_of_string ("0x" ^ String.sub text (2 * at) 2)))

let hex bytes =
  String.concat "" (List.map (fun byte -> Printf.sprintf "%02x" (Char.code byte)) (List.of_seq (Bytes.to_seq bytes)))

let after_must reason =
  let mark = ", must " in
  let rec find at =
    if at + String.length mark > String.length reason then ""
    else if String.sub reason at (String.length mark) = mark then
      let from = at + String.length mark in
      String.sub reason from (String.length reason - from)
    else find (at + 1)
  in
  find 0

(* Two texts of JSON that say the same. Numbers halfway between two that are as short may be written as
   either; that all bits are right is told by the bytes. *)
let same left right =
  let is_number c = match c with '0' .. '9' | '.' | 'e' | '-' -> true | _ -> false in
  let high = min (String.length left) (String.length right) in
  let rec number text at = if at < String.length text && is_number text.[at] then number text (at + 1) else at in
  let rec from at start =
    if at = high then String.length left = String.length right
    else if left.[at] = right.[at] then from (at + 1) (if is_number left.[at] then start else at + 1)
    else
      let ends = number left at, number right at in
      let parts = String.sub left start (fst ends - start), String.sub right start (snd ends - start) in
      let is_float text = String.contains text '.' && (start = 0 || left.[start - 1] <> '"') in
      let single text = Int32.bits_of_float (float_of_string text) in
      is_float (fst parts) && is_float (snd parts)
      && (float_of_string (fst parts) = float_of_string (snd parts) || single (fst parts) = single (snd parts))
      && fst ends = snd ends
      && from (fst ends) (fst ends)
  in
  from 0 0

(* The same bytes at another place of a longer buffer, in and out of OCaml's heap. *)
let views name bytes =
  let at = 8 in
  let longer = Bytes.cat (Bytes.make at '\255') (Bytes.cat bytes (Bytes.make 3 '\255')) in
  let length = Bytes.length longer in
  let big = Bigarray.Array1.create Bigarray.char Bigarray.c_layout length in
  Bytes.iteri (fun index byte -> big.{index} <- byte) longer;
  Views.check name longer big at

let verdict (module M : Library.MESSAGE) version root_len bytes value again broken =
  match M.decode_version ~version ~root_len bytes with
  | Error (Library.Truncated _) -> "truncated"
  | Error (Library.Version _) -> "version"
  | Error (Library.Invalid _) -> "invalid"
  | Ok found -> (
    let json = M.to_json found in
    let said =
      match M.validate found with
      | Ok () -> ""
      | Error { Library.message; field; reason } -> String.concat "|" [ message; field; after_must reason ]
    in
    if value <> "" && again && not (same json value) then "read as " ^ json
    else if again && hex (M.encode found) <> hex bytes then "encoded as " ^ hex (M.encode found)
    else if said <> broken then "validate says " ^ said
    else
      match M.decode (M.encode found) with
      | Ok twice when M.to_json twice = json -> "ok"
      | _ -> "cannot be read again")

let case line =
  match String.split_on_char '\t' line with
  | [ name; version; root_len; wanted; bytes; value; again; broken ] ->
    let is_it (module M : Library.MESSAGE) = M.name = name in
    let (module M : Library.MESSAGE) = List.find is_it Library.messages in
    let bytes = of_hex bytes in
    let version, root_len = int_of_string version, int_of_string root_len in
    let got =
      try
        if M.fixed && Bytes.length bytes = M.root_len && not (views name bytes) then "views read something else"
        else verdict (module M) version root_len bytes value (again = "1") broken
      with error -> "raised " ^ Printexc.to_string error
    in
    if got = wanted then None else Some got
  | _ -> Some "a line of another form"

let () =
  let cases = open_in Sys.argv.(1) in
  let rec each count failed =
    match input_line cases with
    | exception End_of_file -> count, failed
    | line -> (
      match case line with
      | None -> each (count + 1) failed
      | Some got ->
        if failed < 10 then prerr_endline (got ^ "\n  " ^ String.sub line 0 (min 2_000 (String.length line)));
        each (count + 1) (failed + 1))
  in
  let count, failed = each 0 0 in
  Printf.printf "%d cases, %d failed; digest %016Lx\n" count failed Library.schema_digest;
  exit (if failed > 0 then 1 else 0)
