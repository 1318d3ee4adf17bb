(* In place of ../ocaml5/domains.ml. *)
let () = print_endline "domains, which this OCaml has not: fine"
