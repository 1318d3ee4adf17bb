%% Runs scenarios on the real `supervisor' of OTP and prints what happened, for tests/tests/otp.rs.
%%
%% One scenario is one Erlang term on one line of standard input:
%%   {Root, Sup, Acts}
%%   Sup   = {sup, Strategy, Intensity, PeriodSeconds, AutoShutdown, [Child]}
%%   Child = {Id, Plan, Restart, Shutdown, Significant, worker | Sup, FailingStarts, IgnoredStarts}
%%   Act   = {exit, Path, crash | normal | shutdown | kill}
%%         | {advance, Seconds}
%%         | {call, SupervisorPath, Target, Request}
%%         | {burst, SupervisorPath, [Act]}: its workers end and it is called before it deals with any of that
%% Ids and paths are binaries. Plan is a number; starts are counted by it.
%% The answer is one line per event and a line "end". A line "ticked" says that OTP's clock of whole seconds moved on
%% during the scenario, so that a restart may count as one second older than the script says.
%%
%% Nothing here sleeps or guesses. Every event carries a strictly monotonic stamp taken where it happens, exits are
%% stamped by the tracing of the runtime, and after each act the whole tree is asked until no listed child is dead or
%% about to restart, so the next act meets a tree at rest.
-module(otp_driver).
-export([main/0, init/1, start_child/2, start_instance/7, worker/0, log/2]).

-define(TABLES, [driver_log, driver_pid, driver_where, driver_count, driver_parent]).

main() ->
    ok = logger:remove_handler(default),
    ok = logger:add_handler(driver, ?MODULE, #{level => error}),
    process_flag(trap_exit, true),
    [ets:new(T, [named_table, public, ordered_set]) || T <- ?TABLES],
    Tracer = spawn_link(fun tracer/0),
    register(driver_tracer, Tracer),
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    loop().

loop() ->
    case io:get_line(standard_io, '') of
        eof ->
            halt(0);
        Line ->
            {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
            {ok, Scenario} = erl_parse:parse_term(Tokens),
            io:put_chars(standard_io, [run(Scenario), "end\n"]),
            loop()
    end.

run({Root, Sup, Acts}) ->
    [ets:delete_all_objects(T) || T <- ?TABLES],
    Second = erlang:monotonic_time(1),
    case supervisor:start_link(?MODULE, {Root, Sup}) of
        {ok, Pid} ->
            put_log({started_root, Root}),
            ets:insert(driver_pid, {Pid, Root, true}),
            play(Pid, Acts),
            finish(Pid);
        {error, Reason} ->
            put_log({root_exited, Reason})
    end,
    flush_exits(),
    [lines(Root), case erlang:monotonic_time(1) of Second -> []; _ -> "ticked\n" end].

%% ---------------------------------------------------------------- the script

play(_Root, []) ->
    ok;
play(Root, [Act | Acts]) ->
    case is_process_alive(Root) of
        true ->
            act(Act),
            rest(Root),
            play(Root, Acts);
        false ->
            ok
    end.

act({exit, Path, How}) ->
    case whereis_path(Path) of
        undefined ->
            ok;
        {Pid, Type} when Type =:= worker; How =:= kill ->
            Mon = monitor(process, Pid),
            case How of
                kill -> exit(Pid, kill);
                _ -> Pid ! {exit, How}
            end,
            receive {'DOWN', Mon, process, Pid, _} -> ok end;
        {Pid, supervisor} ->
            %% What an exit signal of its parent does: stop the children in reverse, then end with the reason.
            catch gen_server:stop(Pid, How, infinity),
            ok
    end;
act({advance, Seconds}) ->
    %% Time passes for a supervisor when its remembered restarts grow older.
    [shift(Pid, Seconds) || {_, {Pid, supervisor}} <- ets:tab2list(driver_where), is_process_alive(Pid)],
    ok;
act({call, SupPath, Target, Request}) ->
    Reply =
        case whereis_path(SupPath) of
            {Pid, supervisor} -> reply(Request, request(Pid, SupPath, Request));
            _ -> "noproc"
        end,
    put_log({reply, Target, element(1, Request), Reply});
act({burst, SupPath, Acts}) ->
    case whereis_path(SupPath) of
        {Sup, supervisor} ->
            ok = sys:suspend(Sup),
            Sent = [burst(Sup, Act) || Act <- Acts],
            ok = sys:resume(Sup),
            [put_log({reply, Target, element(1, Request), answer(Request, Id)}) || {Id, Target, Request} <- Sent];
        _ ->
            [act(Act) || Act <- Acts]
    end.

burst(Sup, {exit, Path, _} = Exit) ->
    Child = whereis_path(Path),
    act(Exit),
    case Child of
        {Pid, worker} -> await_exit_signal(Sup, Pid);
        undefined -> ok
    end;
burst(Sup, {call, Path, Target, Request}) ->
    {gen_server:send_request(Sup, raw(Path, Request)), Target, Request}.

%% A suspended supervisor keeps what arrives in its mailbox: wait until the exit of Pid is there.
await_exit_signal(Sup, Pid) ->
    {messages, Messages} = process_info(Sup, messages),
    case lists:any(fun({'EXIT', From, _}) -> From =:= Pid; (_) -> false end, Messages) of
        true -> ok;
        false -> erlang:yield(), await_exit_signal(Sup, Pid)
    end.

%% The requests behind the functions of supervisor, so that several can be on their way.
raw(Path, {start_child, Child}) -> {start_child, spec(Path, Child)};
raw(_, {start_instance, Name, Plan, Fails, Ignores}) -> {start_child, [Name, Plan, Fails, Ignores]};
raw(_, {terminate_child, Id}) -> {terminate_child, Id};
raw(_, {restart_child, Id}) -> {restart_child, Id};
raw(_, {delete_child, Id}) -> {delete_child, Id};
raw(_, {which_children}) -> which_children;
raw(_, {which_instances}) -> which_children;
raw(_, {count_children}) -> count_children.

answer(Request, Id) ->
    case gen_server:wait_response(Id, infinity) of
        {reply, Reply} -> reply(Request, Reply);
        {error, _} -> "noproc"
    end.

shift(Pid, Seconds) ->
    sys:replace_state(Pid, fun(State) ->
        %% #state{name, strategy, children, dynamics, intensity, period, restarts, ...}
        Restarts = element(8, State),
        true = is_list(Restarts),
        setelement(8, State, [R - Seconds || R <- Restarts])
    end).

request(Pid, Path, {start_child, Child}) -> supervisor:start_child(Pid, spec(Path, Child));
request(Pid, _, {start_instance, Name, Plan, Fails, Ignores}) ->
    supervisor:start_child(Pid, [Name, Plan, Fails, Ignores]);
request(Pid, _, {terminate_child, Id}) -> supervisor:terminate_child(Pid, Id);
request(Pid, Path, {terminate_instance, Id}) ->
    case whereis_path(<<Path/binary, "/", Id/binary>>) of
        {Child, _} -> supervisor:terminate_child(Pid, Child);
        undefined -> {error, not_found}
    end;
request(Pid, _, {restart_child, Id}) -> supervisor:restart_child(Pid, Id);
request(Pid, _, {delete_child, Id}) -> supervisor:delete_child(Pid, Id);
request(Pid, _, {which_children}) -> supervisor:which_children(Pid);
request(Pid, _, {which_instances}) -> supervisor:which_children(Pid);
request(Pid, _, {count_children}) -> supervisor:count_children(Pid).

reply({which_children}, List) -> [[Id, "=", state(Child), ":", atom_to_list(Type), " "] || {Id, Child, Type, _} <- List];
reply({which_instances}, List) ->
    lists:sort([lists:flatten(["undefined=", state(Child), ":", atom_to_list(Type), " "]) || {_, Child, Type, _} <- List]);
reply({count_children}, Counts) -> [[atom_to_list(K), "=", integer_to_list(V), " "] || {K, V} <- Counts];
reply(_, ok) -> "ok";
reply(_, {ok, undefined}) -> "ignored";
reply(_, {ok, _}) -> "started";
reply(_, {error, {already_started, _}}) -> "already_started";
reply(_, {error, {bad_combination, _}}) -> "bad_combination";
reply(_, {error, Atom}) when Atom =:= not_found; Atom =:= running; Atom =:= restarting; Atom =:= already_present;
                             Atom =:= simple_one_for_one -> atom_to_list(Atom);
reply(_, {error, _}) -> "start_failed".

state(undefined) -> "undefined";
state(restarting) -> "restarting";
state(Pid) when is_pid(Pid) -> "running".

finish(Root) ->
    case is_process_alive(Root) of
        true ->
            Mon = monitor(process, Root),
            exit(Root, shutdown),
            receive {'DOWN', Mon, process, Root, _} -> ok end;
        false ->
            ok
    end,
    receive {'EXIT', Root, _} -> ok end.

%% Returns when the tree is at rest, or gone.
rest(Root) ->
    case is_process_alive(Root) andalso not (at_rest(Root) andalso no_orphans()) of
        true -> erlang:yield(), rest(Root);
        false -> ok
    end.

%% What was below a killed supervisor may live a moment longer. Nobody lists it, and it still takes calls.
no_orphans() ->
    not lists:any(fun({Pid, Parent}) -> is_process_alive(Pid) andalso not is_process_alive(Parent) end,
                  ets:tab2list(driver_parent)).

at_rest(Sup) ->
    try supervisor:which_children(Sup) of
        Children -> lists:all(fun child_at_rest/1, Children)
    catch
        exit:_ -> false
    end.

child_at_rest({_, restarting, _, _}) -> false;
child_at_rest({_, undefined, _, _}) -> true;
child_at_rest({_, Pid, worker, _}) -> is_process_alive(Pid);
child_at_rest({_, Pid, supervisor, _}) -> is_process_alive(Pid) andalso at_rest(Pid).

whereis_path(Path) ->
    case ets:lookup(driver_where, Path) of
        [{_, {Pid, Type}}] -> case is_process_alive(Pid) of true -> {Pid, Type}; false -> undefined end;
        [] -> undefined
    end.

%% ---------------------------------------------------------------- the tree

init({Path, {sup, Strategy, Intensity, Period, Auto, Children}}) ->
    ets:insert(driver_where, {Path, {self(), supervisor}}),
    ets:insert(driver_pid, {self(), Path, false}),
    trace(self()),
    Flags = #{strategy => Strategy, intensity => Intensity, period => Period, auto_shutdown => Auto},
    Specs =
        case Strategy of
            simple_one_for_one -> [template(Path, C) || C <- Children];
            _ -> [spec(Path, C) || C <- Children]
        end,
    {ok, {Flags, Specs}}.

spec(Path, {Id, _, Restart, Shutdown, Significant, Type, _, _} = Child) ->
    #{id => Id, start => {?MODULE, start_child, [Path, Child]}, restart => Restart, shutdown => Shutdown,
      significant => Significant, type => type(Type)}.

template(Path, {Id, _, Restart, Shutdown, Significant, Type, _, _} = Child) ->
    #{id => Id, start => {?MODULE, start_instance, [Path, Child, none]}, restart => Restart, shutdown => Shutdown,
      significant => Significant, type => type(Type)}.

type(worker) -> worker;
type(_) -> supervisor.

start_instance(Path, {_, _, Restart, Shutdown, Significant, Type, _, _}, none, Name, Plan, Fails, Ignores) ->
    start_child(Path, {Name, Plan, Restart, Shutdown, Significant, Type, Fails, Ignores}).

%% Runs in the supervisor, as every start function does.
start_child(SupPath, {Id, Plan, _, _, _, Type, Fails, Ignores}) ->
    Path = <<SupPath/binary, "/", Id/binary>>,
    Count = ets:update_counter(driver_count, Plan, 1, {Plan, 0}),
    case {lists:member(Count, Fails), lists:member(Count, Ignores), Type} of
        {true, _, _} ->
            put_log({start_failed, Path}),
            {error, scripted};
        {_, true, _} ->
            ignore;
        {_, _, worker} ->
            Pid = spawn_link(?MODULE, worker, []),
            trace(Pid),
            ets:insert(driver_where, {Path, {Pid, worker}}),
            ets:insert(driver_pid, {Pid, Path, true}),
            ets:insert(driver_parent, {Pid, self()}),
            put_log({started, Path}),
            {ok, Pid};
        {_, _, Sup} ->
            case supervisor:start_link(?MODULE, {Path, Sup}) of
                {ok, Pid} ->
                    ets:insert(driver_pid, {Pid, Path, true}),
                    ets:insert(driver_parent, {Pid, self()}),
                    put_log({started, Path}),
                    {ok, Pid};
                Error ->
                    put_log({start_failed, Path}),
                    Error
            end
    end.

worker() ->
    receive {exit, crash} -> exit(crash); {exit, Reason} -> exit(Reason) end.

%% ---------------------------------------------------------------- the log

put_log(Event) ->
    ets:insert(driver_log, {{erlang:monotonic_time(nanosecond), erlang:unique_integer([monotonic])}, Event}).

%% The logger calls this in the process that logs: here, a supervisor that gives up.
log(#{msg := {report, #{label := {supervisor, shutdown}}}}, _Config) ->
    put_log({gave_up, self()});
log(_, _) ->
    ok.

trace(Pid) ->
    erlang:trace(Pid, true, [procs, strict_monotonic_timestamp, {tracer, whereis(driver_tracer)}]).

tracer() ->
    receive
        {trace_ts, Pid, exit, Reason, Stamp} ->
            ets:insert(driver_log, {Stamp, {ended, Pid, Reason}}),
            tracer();
        {flush, From} ->
            From ! flushed,
            tracer();
        _ ->
            tracer()
    end.

flush_exits() ->
    Ref = erlang:trace_delivered(all),
    receive {trace_delivered, all, Ref} -> ok end,
    driver_tracer ! {flush, self()},
    receive flushed -> ok end,
    drop_exits().

drop_exits() ->
    receive {'EXIT', _, _} -> drop_exits() after 0 -> ok end.

lines(Root) ->
    [line(Root, Event) || {_, Event} <- ets:tab2list(driver_log)].

line(_, {started_root, _}) -> [];
line(_, {started, Path}) -> ["started ", Path, "\n"];
line(_, {start_failed, Path}) -> ["start_failed ", Path, "\n"];
line(_, {root_exited, Reason}) -> ["root_exited ", reason(Reason), "\n"];
line(_, {gave_up, Pid}) -> ["gave_up ", ets:lookup_element(driver_pid, Pid, 2), "\n"];
line(_, {reply, Target, Call, Reply}) -> ["reply ", atom_to_list(Call), " ", Target, " ", Reply, "\n"];
line(Root, {ended, Pid, Reason}) ->
    case ets:lookup(driver_pid, Pid) of
        [{_, Root, true}] -> ["root_exited ", reason(Reason), "\n"];
        [{_, Path, true}] -> ["ended ", Path, " ", reason(Reason), "\n"];
        _ -> []
    end.

reason(normal) -> "normal";
reason(shutdown) -> "shutdown";
reason({shutdown, _}) -> "shutdown_with";
reason(killed) -> "killed";
reason(_) -> "abnormal".
