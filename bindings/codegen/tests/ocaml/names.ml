(* What OCaml makes of names that it uses itself, of values that do not fit, and of the types of the
   runtime. *)

open M9_names_of_ocaml_messages

let failed = ref 0

let check what holds =
  if not holds then (
    incr failed;
    prerr_endline ("failed: " ^ what))

let refuses what text make =
  match make () with
  | _ -> check (what ^ " was taken") false
  | exception Invalid_argument said -> check (what ^ ": " ^ said) (said = text)

let view = { View.v = { Uint64.at = -1L }; effect_ = 7 }

let sample =
  Printf.make ~open_:1 ~effect_:(-1) ~b:0xffff_ffff ~r:(-5) ~at:(-1L) ~name:Verdict.Some
    ~root_len:(Bytes.of_string "abc") ~check:Decimal.zero ()

let sys = { Sys.text = "nine bytes"; items = [| "a"; "b" |]; t = [||] }
let option of_string text to_string = match of_string text with Some value -> to_string value | None -> "none"

let names () =
  let verdict_of got = Result.map_error violation_to_string (MESSAGE.validate got) in
  let message get = { MESSAGE.get; verdict = Verdict.Ok; w = [| Bytes.of_string "xyz" |] } in
  let some = message (Answer.Some { x = Some view; y = Some "ab"; z = [| None; Some (-1L) |] }) in
  check "a message of such names" (MESSAGE.decode (MESSAGE.encode some) = Ok some);
  check "its rules" (verdict_of some = Ok ());
  let short = message (Answer.Some { x = None; y = Some "a"; z = [||] }) in
  check "a rule in a variant"
    (verdict_of short = Error "MESSAGE.get.y has length 1, must have at least 2");
  check "json"
    (MESSAGE.to_json (message Answer.Error)
    = {|{"get": "Error", "verdict": "Ok", "w": [[120, 121, 122]]}|});
  check "make of a struct" (View.make ~v:{ Uint64.at = -1L } () = view);
  check "defaults" (U256.to_string sample.make = "5" && I256.to_string sample.to_json = "-5");
  check "a default in an option" (sample.layout = Some { View.v = { Uint64.at = -1L }; effect_ = 1 });
  let value = Printf.encode { sample with words = Int32.float_of_bits (Int32.bits_of_float 0.1) } in
  check "round trip" (Result.map Printf.to_json (Printf.decode value) = Ok (Printf.to_json sample));
  check "a view" (Printf.Bytes_view.open_ value 0 = 1 && Printf.Bytes_view.effect_ value 0 = -1)

let misfits () =
  let with_printf what text change = refuses what ("Printf." ^ text) (fun () -> Printf.encode (change sample)) in
  with_printf "u8" "open is 256, must be from 0 to 255" (fun m -> { m with open_ = 256 });
  with_printf "i8" "effect is -129, must be from -128 to 127" (fun m -> { m with effect_ = -129 });
  with_printf "u32" "b is -1, must be from 0 to 4294967295" (fun m -> { m with b = -1 });
  with_printf "i16" "r is 32768, must be from -32768 to 32767" (fun m -> { m with r = 0x8000 });
  with_printf "[u8; 3]" "root_len has 2 bytes, must have 3" (fun m -> { m with root_len = Bytes.create 2 });
  with_printf "nested u8" "layout is 300, must be from 0 to 255" (fun m ->
      { m with layout = Some { view with effect_ = 300 } });
  let with_sys what text change = refuses what ("Sys." ^ text) (fun () -> Sys.encode (change sys)) in
  with_sys "no UTF-8" "text is no UTF-8" (fun m -> { m with text = "\xc0\x80" });
  with_sys "a surrogate" "items is no UTF-8" (fun m -> { m with items = [| "\xed\xa0\x80"; "" |] });
  with_sys "[String; 2]" "items has 1 elements, must have 2" (fun m -> { m with items = [| "x" |] });
  with_sys "i32" "t is 2147483648, must be from -2147483648 to 2147483647" (fun m ->
      { m with t = [| 0x8000_0000 |] });
  check "what fits is encoded after a failure" (Sys.decode (Sys.encode sys) = Ok sys)

let hostile () =
  let error text got = match got with Error (Invalid said) -> check said (said = text) | _ -> check text false in
  let value = Sys.encode sys in
  (* The length of a list: all but the whole memory. *)
  Bytes.set_int32_le value (Bytes.length value - 4) (-1l);
  let cell, high = Bytes.length value - 8, Bytes.length value - Sys.root_len in
  error (Stdlib.Printf.sprintf "the offset at byte %d leads to what is not between bytes 10 and %d" cell high)
    (Sys.decode value);
  let outside at = match Printf.check_bytes (Bytes.create 300) at with Error (Truncated _) -> true | _ -> false in
  check "outside" (outside (-1) && outside 301 && outside max_int && outside min_int);
  List.iter
    (fun (version, root_len) ->
      check "a root that cannot be"
        (match Sys.decode_version ~version ~root_len value with Error (Version _) -> true | _ -> false))
    [ -1, 0; 0, Sys.root_len; 1, -8; 1, max_int; max_int, 0; min_int, min_int ];
  check "a view of a bad tag"
    (let value = Printf.encode sample in
     Bytes.fill value 0 (Bytes.length value) '\255';
     match Printf.Bytes_view.name value 0, Printf.check_bytes value 0 with
     | exception Invalid_argument _ -> Result.is_error (Printf.check_bytes value 0)
     | _ -> false)

let scalars () =
  let decimal text = option Decimal.of_string text Decimal.to_string in
  List.iter
    (fun (text, shown) -> check ("decimal " ^ text) (decimal text = shown))
    [
      "1.50", "1.50"; "-0.00", "0.00"; "+7", "7"; "-0.5", "-0.5"; "", "none"; ".5", "none"; "1.", "none";
      "1.2.3", "none"; "1e3", "none"; "-", "none"; "--1", "none"; "1_0", "none";
      "79228162514264337593543950335", "79228162514264337593543950335";
      "79228162514264337593543950336", "none"; "0.00000000000000000000000000001", "none";
      "0.0000000000000000000000000001", "0.0000000000000000000000000001";
    ];
  let dec text = Option.get (Decimal.of_string text) in
  check "decimal order"
    (Decimal.compare (dec "1.5") (dec "1.50") = 0
    && Decimal.compare (dec "-2") (dec "1") < 0
    && Decimal.compare (dec "-2") (dec "-1.9999") < 0
    && Decimal.compare (dec "79228162514264337593543950335") (dec "0.0000000000000000000000000001") > 0
    && Decimal.equal (Decimal.of_int min_int) (dec (string_of_int min_int))
    && Decimal.to_float (dec "-12.25") = -12.25);
  let top = "115792089237316195423570985008687907853269984665640564039457584007913129639935" in
  let half = "57896044618658097711785492504343953926634992332820282019728792003956564819967" in
  let below = "-57896044618658097711785492504343953926634992332820282019728792003956564819968" in
  let wide text = option U256.of_string text U256.to_string in
  let signed text = option I256.of_string text I256.to_string in
  check "U256" (wide top = top && wide "0" = "0" && wide "-1" = "none" && wide (top ^ "0") = "none");
  check "U256 above" (wide (String.sub top 0 77 ^ "6") = "none" && wide "1000000000" = "1000000000");
  check "I256" (signed half = half && signed below = below && signed "-1" = "-1" && signed top = "none");
  check "I256 below" (signed (String.sub below 0 77 ^ "9") = "none");
  check "orders"
    (I256.compare (I256.of_int (-1)) (I256.of_int 1) < 0
    && I256.compare (I256.of_int (-2)) (I256.of_int (-1)) < 0
    && U256.compare (U256.of_int 256) (U256.of_int 255) > 0);
  check "bytes"
    (U256.of_bytes_le (U256.to_bytes_le (U256.of_int 77)) = Some (U256.of_int 77)
    && U256.of_bytes_le (Bytes.create 31) = None);
  refuses "U256.of_int" "-1 is below zero, a U256 is not" (fun () -> U256.of_int (-1));
  List.iter
    (fun (nanos, shown) -> check shown (Timestamp.to_string nanos = shown))
    [
      0L, "1970-01-01T00:00:00Z"; -1L, "1969-12-31T23:59:59.999999999Z";
      1_700_000_000_000_000_001L, "2023-11-14T22:13:20.000000001Z";
      951_782_400_000_000_000L, "2000-02-29T00:00:00Z"; 4_107_542_400_000_000_000L, "2100-03-01T00:00:00Z";
      Int64.max_int, "2262-04-11T23:47:16.854775807Z"; Int64.min_int, "1677-09-21T00:12:43.145224192Z";
    ]

(* As Rust, which has 32 bits for it, does. *)
let singles () =
  let finite value = Result.is_ok (Single.validate { Single.value }) in
  check "f32 that is finite" (finite 3.4e38 && finite (-0.));
  check "f32 that is infinite in 32 bits" (not (finite 1e39 || finite (-1e39) || finite infinity || finite nan))

let () =
  singles ();
  names ();
  misfits ();
  hostile ();
  scalars ();
  print_endline (if !failed = 0 then "fine" else "not fine")
