%% Runs scenarios on the real `supervisor' of OTP, in virtual time, and prints what happened, for tests/tests/otp.rs.
%%
%% One scenario is one Erlang term on one line of standard input:
%%   {Root, Sup, [{At, Act}]}
%%   Sup   = {sup, Strategy, Intensity, Period, AutoShutdown, [Child]}
%%   Child = {Id, Plan, Restart, Shutdown, Significant, worker | Sup, FailingStarts, IgnoredStarts, StartTakes, StopTakes}
%%   Act   = {exit, Path, crash | normal | shutdown | kill}
%%         | {call, SupervisorPath, Target, Request}
%%         | {burst, SupervisorPath, [Act]}: its workers end and it is called before it deals with any of that
%% Ids and paths are binaries, all times microseconds. Plan is a number; starts are counted by it.
%% The answer is one line per event, with its time in front, and a line "end". A call that nobody answers has no time.
%%
%% Time is virtual: the code of `supervisor' that runs is that of the installed OTP, with its reads of the clock and its
%% timers turned into calls of this module (see virtual_supervisor/0), and nothing else changed. Time stands still while
%% any process can run, and then moves to what is due next. There is one scheduler (`erl +S 1:1'), so an empty run queue
%% means that everybody waits. Every event carries a strictly monotonic stamp taken where it happens.
-module(otp_driver).
-export([main/0, init/1, start_child/2, start_instance/9, worker/1, slow_worker/5, log/2]).
-export([now_us/0, start_timer/2, cancel_timer/1, resolve/2]).

-define(TABLES, [driver_log, driver_pid, driver_ended, driver_where, driver_up, driver_count, driver_parent, driver_timer, driver_call]).
-define(CLOCK, driver_clock).

main() ->
    1 = erlang:system_info(schedulers),
    %% Whoever loads code later waits for a file, which is outside of the run queue.
    Modules = [M || App <- [kernel, stdlib], {ok, Ms} <- [application:get_key(App, modules)], M <- Ms],
    ok = code:ensure_modules_loaded(Modules),
    ok = virtual_supervisor(),
    ok = logger:remove_handler(default),
    ok = logger:add_handler(driver, ?MODULE, #{level => error}),
    ok = logger:set_primary_config(level, none),
    ok = logger:set_module_level(supervisor, error),
    [ets:new(T, [named_table, public, ordered_set]) || T <- ?TABLES],
    persistent_term:put(?CLOCK, atomics:new(1, [])),
    register(driver_tracer, spawn_link(fun tracer/0)),
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    warm_up(),
    loop().

%% A process that waits for code to be loaded looks as if it were at rest. So what reports the crash of a root, and all before it,
%% is used once.
warm_up() ->
    Spec = {<<"a">>, 1, permanent, 5000000, false, worker, [], [], 0, 0},
    Sup = {sup, one_for_one, 1, 5000000, never, [Spec]},
    Root = <<"root">>,
    Calls = [{call, Root, Root, {Name}} || Name <- [which_children, count_children]],
    Acts = [{1, {burst, Root, [{exit, <<"root/a">>, How} || How <- [normal, kill, crash]] ++ Calls}}],
    _ = run({Root, Sup, Acts ++ [{2, {exit, Root, crash}}]}).

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
    set_clock(0),
    {Starter, Mon} = spawn_monitor(fun() -> starter(Root, Sup) end),
    play(Mon, lists:zip(lists:seq(0, length(Acts) - 1), Acts)),
    exit(Starter, kill),
    quiet(),
    flush_exits(),
    lines(Root).

%% The parent of the root, which ends with it.
starter(Root, Sup) ->
    process_flag(trap_exit, true),
    case supervisor:start_link(?MODULE, {Root, Sup}) of
        {ok, Pid} ->
            ets:insert(driver_pid, {Pid, Root, true}),
            receive {'EXIT', Pid, _} -> ok end;
        {error, Reason} ->
            put_log({root_exited, Reason})
    end.

%% ---------------------------------------------------------------- the script

%% What is due in the tree at a time comes before the acts of that time, each with all that follows from it at once.
play(Root, Acts) ->
    quiet(),
    receive
        {'DOWN', Root, process, _, _} -> ok
    after 0 ->
        case {ets:first(driver_timer), Acts} of
            {'$end_of_table', []} ->
                put_log(idle);
            {{Due, _, _} = Timer, _} when Acts =:= []; Due =< element(1, element(2, hd(Acts))) ->
                set_clock(max(Due, now_us())),
                [{_, Pid, Tag}] = ets:take(driver_timer, Timer),
                Pid ! {timeout, Timer, Tag},
                play(Root, Acts);
            {_, [{Number, {At, Act}} | Later]} ->
                set_clock(max(At, now_us())),
                case meets_a_start(Act) of
                    true -> put_log({skipped, Number});
                    false -> act(Act)
                end,
                play(Root, Later)
        end
    end.

act({exit, Path, How}) ->
    case whereis_path(Path) of
        undefined -> ok;
        {Pid, _} when How =:= kill -> exit(Pid, kill);
        {Pid, worker} -> Pid ! {exit, How};
        %% What gen_server:stop/3 sends: stop the children in reverse, then end with the reason.
        {Pid, supervisor} -> Pid ! {system, {self(), make_ref()}, {terminate, How}}
    end;
act({call, SupPath, Target, Request}) ->
    Ref = make_ref(),
    ets:insert(driver_call, {Ref, Target, Request}),
    case whereis_path(SupPath) of
        {Pid, supervisor} -> Pid ! {'$gen_call', {self(), Ref}, raw(SupPath, Request)};
        _ -> ok
    end;
act({burst, SupPath, Acts}) ->
    case whereis_path(SupPath) of
        {Sup, supervisor} ->
            true = erlang:suspend_process(Sup),
            [begin act(Act), wait_for_all() end || Act <- Acts],
            true = erlang:resume_process(Sup);
        _ ->
            [begin act(Act), quiet() end || Act <- Acts]
    end.

%% A supervisor below the root that has just started does at once what waited for it, while its parent goes on: nobody
%% can tell whose events come first. So nothing is sent to one that is starting; it may only be killed, and the start that
%% is under way may fail.
meets_a_start({exit, Path, How}) ->
    case whereis_path(Path) of
        undefined -> false;
        {Pid, supervisor} ->
            case binary:match(Path, <<"/">>) =/= nomatch andalso is_starting(Pid) of
                true -> How =/= kill;
                false -> above_starts(Path)
            end;
        {Pid, worker} -> ets:member(driver_pid, Pid) andalso above_starts(Path)
    end;
meets_a_start({call, SupPath, _, _}) -> above_starts(<<SupPath/binary, "/">>);
meets_a_start({burst, SupPath, _}) -> above_starts(<<SupPath/binary, "/">>).

above_starts(Path) ->
    Slashes = [At || {At, _} <- binary:matches(Path, <<"/">>)],
    Above = [whereis_path(binary:part(Path, 0, At)) || At <- Slashes],
    lists:any(fun({Pid, _}) -> is_starting(Pid); (undefined) -> false end, lists:nthtail(min(1, length(Above)), Above)).

is_starting(Pid) -> ets:lookup(driver_pid, Pid) =/= [] andalso not ets:lookup_element(driver_pid, Pid, 3).

%% The requests behind the functions of supervisor.
raw(Path, {start_child, Child}) -> {start_child, spec(Path, Child)};
raw(_, {start_instance, Name, Plan, Fails, Ignores, StartTakes, StopTakes}) ->
    {start_child, [Name, Plan, Fails, Ignores, StartTakes, StopTakes]};
raw(_, {terminate_child, Id}) -> {terminate_child, Id};
raw(Path, {terminate_instance, Id}) -> {driver, {terminate_instance, <<Path/binary, "/", Id/binary>>}};
raw(_, {restart_child, Id}) -> {restart_child, Id};
raw(_, {delete_child, Id}) -> {delete_child, Id};
raw(_, {which_children}) -> which_children;
raw(_, {which_instances}) -> which_children;
raw(_, {count_children}) -> count_children.

%% OTP knows an instance by its pid. The name is turned into it when the call has its turn, as a name means it.
resolve({terminate_instance, Path}, State) ->
    {_Kind, Pids} = element(5, State),
    case ets:lookup(driver_up, Path) of
        [{_, Pid}] when is_map_key(Pid, Pids); is_map_key({restarting, Pid}, Pids) -> {terminate_child, Pid};
        %% Of a pid that it does not know it says ok: ask what it does not find instead.
        _ -> {get_childspec, driver_nobody}
    end.

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

%% Returns when everybody waits for time to pass, and what was below a supervisor that was killed is gone.
quiet() ->
    wait_for_all(),
    Orphans = [Pid || {Pid, Parent} <- ets:tab2list(driver_parent),
                      not is_process_alive(Parent), ets:delete(driver_parent, Pid), is_process_alive(Pid)],
    case Orphans of
        [] -> ok;
        _ -> [exit(Pid, kill) || Pid <- Orphans], quiet()
    end.

wait_for_all() ->
    case erlang:statistics(run_queue) =:= 0 andalso lists:all(fun waits/1, ets:tab2list(driver_pid)) of
        true -> ok;
        false -> erlang:yield(), wait_for_all()
    end.

%% The run queue does not tell of a process that is collecting garbage or ending on another scheduler: who has ended must
%% have been traced, and those who are to hear of it must have heard.
waits({Pid, _, _}) ->
    case process_info(Pid, [status, links, monitors]) of
        undefined ->
            ets:member(driver_ended, Pid);
        [{status, Status}, {links, Links}, {monitors, Monitors}] ->
            (Status =:= waiting orelse Status =:= suspended)
                andalso lists:all(fun is_there/1, Links) andalso lists:all(fun is_there/1, Monitors)
    end.

is_there({process, Pid}) -> is_there(Pid);
is_there(Pid) when is_pid(Pid) -> is_process_alive(Pid);
is_there(_) -> true.

whereis_path(Path) ->
    case ets:lookup(driver_where, Path) of
        [{_, {Pid, Type}}] -> case is_process_alive(Pid) of true -> {Pid, Type}; false -> undefined end;
        [] -> undefined
    end.

%% ---------------------------------------------------------------- virtual time

now_us() -> atomics:get(persistent_term:get(?CLOCK), 1).

set_clock(Now) ->
    atomics:put(persistent_term:get(?CLOCK), 1, Now),
    put_log({at, Now}).

%% Those of supervisors come after those of workers that are due at the same time.
start_timer(Time, Tag) -> start_timer(Time, Tag, 1).

start_timer(infinity, _, _) ->
    none;
start_timer(Time, Tag, Class) ->
    Timer = {now_us() + Time, Class, erlang:unique_integer([monotonic])},
    ets:insert(driver_timer, {Timer, self(), Tag}),
    Timer.

cancel_timer(Timer) -> ets:delete(driver_timer, Timer).

%% Loads the `supervisor' of this OTP with the clock and the timers of this module, and with one more request, which
%% turns the name of an instance into its pid.
virtual_supervisor() ->
    Forms = [virtual(Form) || Form <- forms(code:which(supervisor))],
    [1, 1, 1, 1] = [times(Call, Forms) || Call <- [now_us, start_timer_kill, expired, resolve]],
    {ok, supervisor, Beam} = compile:forms(Forms, [binary]),
    true = code:unstick_mod(supervisor),
    {module, supervisor} = code:load_binary(supervisor, "virtual", Beam),
    ok.

%% What it was compiled from: kept in the file, or beside it.
forms(File) ->
    case beam_lib:chunks(File, [abstract_code]) of
        {ok, {_, [{abstract_code, {raw_abstract_v1, Forms}}]}} ->
            Forms;
        _ ->
            Source = filename:join([code:lib_dir(stdlib), "src", "supervisor.erl"]),
            {ok, Forms} = epp:parse_file(Source, []),
            Forms
    end.

virtual({function, L, handle_call, 3, Clauses}) ->
    {ok, Tokens, _} = erl_scan:string(
        "handle_call({driver, R}, F, S) -> handle_call(otp_driver:resolve(R, S), F, S)."),
    {ok, {function, _, _, _, [Resolve]}} = erl_parse:parse_form(Tokens),
    {function, L, handle_call, 3, [Resolve | virtual(Clauses)]};
virtual({call, L, {remote, _, {atom, _, erlang}, {atom, _, monotonic_time}}, [_]}) ->
    call(L, now_us, []);
virtual({call, L, {remote, _, {atom, _, erlang}, {atom, _, start_timer}}, [Time, _Self, Tag]}) ->
    call(L, start_timer, [Time, Tag]);
virtual({call, L, {remote, _, {atom, _, erlang}, {atom, _, cancel_timer}}, [Timer]}) ->
    call(L, cancel_timer, [Timer]);
virtual({'receive', L, Clauses, {integer, _, 0} = Zero, Body}) ->
    {'receive', L, virtual(Clauses), Zero, virtual(Body)};
virtual({'receive', L, Clauses, Time, Body}) ->
    Timer = {var, L, 'VirtualTimer'},
    Expired = {clause, L, [{tuple, L, [{atom, L, timeout}, Timer, {atom, L, expired}]}], [], virtual(Body)},
    In = [{clause, A, Pattern, Guard, [call(A, cancel_timer, [Timer]) | virtual(Then)]}
          || {clause, A, Pattern, Guard, Then} <- Clauses],
    {block, L, [{match, L, Timer, call(L, start_timer, [Time, {atom, L, expired}])},
                {'receive', L, In ++ [Expired]}]};
virtual(Tuple) when is_tuple(Tuple) ->
    list_to_tuple(virtual(tuple_to_list(Tuple)));
virtual([Head | Tail]) ->
    [virtual(Head) | virtual(Tail)];
virtual(Other) ->
    Other.

call(L, Function, Arguments) ->
    {call, L, {remote, L, {atom, L, ?MODULE}, {atom, L, Function}}, Arguments}.

%% How often something of ours is in there: another OTP may be written in another way.
times(What, {call, _, {remote, _, {atom, _, ?MODULE}, {atom, _, Function}}, Arguments}) ->
    Name = case {Function, Arguments} of
        {start_timer, [_, {atom, _, kill}]} -> start_timer_kill;
        {start_timer, [_, {atom, _, expired}]} -> expired;
        _ -> Function
    end,
    case Name of What -> 1; _ -> 0 end;
times(What, Tuple) when is_tuple(Tuple) ->
    times(What, tuple_to_list(Tuple));
times(What, [Head | Tail]) ->
    times(What, Head) + times(What, Tail);
times(_, _) ->
    0.

%% ---------------------------------------------------------------- the tree

init({Path, {sup, Strategy, Intensity, Period, Auto, Children}}) ->
    ets:insert(driver_where, {Path, {self(), supervisor}}),
    ets:insert(driver_pid, {self(), Path, false}),
    ets:insert(driver_parent, {self(), hd(get('$ancestors'))}),
    trace(self(), [send]),
    Flags = #{strategy => Strategy, intensity => Intensity, period => Period, auto_shutdown => Auto},
    Specs =
        case Strategy of
            simple_one_for_one -> [template(Path, C) || C <- Children];
            _ -> [spec(Path, C) || C <- Children]
        end,
    {ok, {Flags, Specs}}.

spec(Path, {Id, _, Restart, Shutdown, Significant, Type, _, _, _, _} = Child) ->
    #{id => Id, start => {?MODULE, start_child, [Path, Child]}, restart => Restart, shutdown => Shutdown,
      significant => Significant, type => type(Type)}.

template(Path, {Id, _, Restart, Shutdown, Significant, Type, _, _, _, _} = Child) ->
    #{id => Id, start => {?MODULE, start_instance, [Path, Child, none]}, restart => Restart, shutdown => Shutdown,
      significant => Significant, type => type(Type)}.

type(worker) -> worker;
type(_) -> supervisor.

start_instance(Path, Template, none, Name, Plan, Fails, Ignores, StartTakes, StopTakes) ->
    {_, _, Restart, Shutdown, Significant, Type, _, _, _, _} = Template,
    start_child(Path, {Name, Plan, Restart, Shutdown, Significant, Type, Fails, Ignores, StartTakes, StopTakes}).

%% Runs in the supervisor, as every start function does.
start_child(SupPath, {Id, Plan, _, _, _, Type, Fails, Ignores, StartTakes, StopTakes}) ->
    Path = <<SupPath/binary, "/", Id/binary>>,
    Count = ets:update_counter(driver_count, Plan, 1, {Plan, 0}),
    Outcome = case {lists:member(Count, Fails), lists:member(Count, Ignores)} of
        {true, _} -> {error, scripted};
        {_, true} -> ignore;
        _ -> ok
    end,
    started(Path, start(Path, Type, Outcome, StartTakes, StopTakes)).

start(Path, worker, ok, 0, StopTakes) ->
    Pid = spawn_link(?MODULE, worker, [StopTakes]),
    %% Whoever takes time to stop must have said that it traps exits.
    wait_for_trap(Pid, StopTakes),
    ets:insert(driver_where, {Path, {Pid, worker}}),
    ets:insert(driver_parent, {Pid, self()}),
    trace(Pid, []),
    {ok, Pid};
start(Path, worker, Outcome, StartTakes, StopTakes) when StartTakes > 0 ->
    proc_lib:start_link(?MODULE, slow_worker, [Path, self(), Outcome, StartTakes, StopTakes]);
start(Path, {sup, _, _, _, _, _} = Sup, ok, _, _) ->
    supervisor:start_link(?MODULE, {Path, Sup});
start(_, _, Outcome, _, _) ->
    Outcome.

started(Path, {ok, Pid}) ->
    ets:insert(driver_pid, {Pid, Path, true}),
    ets:insert(driver_up, {Path, Pid}),
    put_log({started, Path}),
    {ok, Pid};
started(_, ignore) ->
    ignore;
started(Path, Error) ->
    put_log({start_failed, Path}),
    Error.

wait_for_trap(_, 0) ->
    ok;
wait_for_trap(Pid, StopTakes) ->
    case process_info(Pid, trap_exit) of
        {trap_exit, false} -> erlang:yield(), wait_for_trap(Pid, StopTakes);
        _ -> ok
    end.

%% Its start takes time, during which it can be ended.
slow_worker(Path, Parent, Outcome, StartTakes, StopTakes) ->
    process_flag(trap_exit, true),
    ets:insert(driver_where, {Path, {self(), worker}}),
    ets:insert(driver_parent, {self(), Parent}),
    Timer = start_timer(StartTakes, started, 0),
    receive
        {timeout, Timer, started} when Outcome =:= ok ->
            proc_lib:init_ack(Parent, {ok, self()}),
            trace(self(), []),
            worker(StopTakes);
        {timeout, Timer, started} ->
            proc_lib:init_ack(Parent, Outcome);
        {exit, Reason} ->
            exit(Reason);
        {'EXIT', Parent, Reason} ->
            exit(Reason)
    end.

worker(0) ->
    process_flag(trap_exit, false),
    receive {exit, Reason} -> exit(Reason) end;
worker(StopTakes) ->
    process_flag(trap_exit, true),
    receive
        {exit, Reason} -> exit(Reason);
        {'EXIT', _, shutdown} -> stopping(start_timer(StopTakes, stopped, 0));
        {'EXIT', _, Reason} -> exit(Reason)
    end.

stopping(Timer) ->
    receive
        {timeout, Timer, stopped} -> exit(shutdown);
        {exit, Reason} -> exit(Reason);
        {'EXIT', _, Reason} -> exit(Reason)
    end.

%% ---------------------------------------------------------------- the log

put_log(Event) ->
    ets:insert(driver_log, {{erlang:monotonic_time(nanosecond), erlang:unique_integer([monotonic])}, Event}).

%% The logger calls this in the process that logs: here, a supervisor that gives up.
log(#{msg := {report, #{label := {supervisor, shutdown}}}}, _Config) ->
    put_log({gave_up, self()});
log(_, _) ->
    ok.

trace(Pid, More) ->
    erlang:trace(Pid, true, [procs, strict_monotonic_timestamp, {tracer, whereis(driver_tracer)} | More]).

tracer() ->
    receive
        {trace_ts, Pid, exit, Reason, Stamp} ->
            ets:insert(driver_log, {Stamp, {ended, Pid, Reason}}),
            ets:insert(driver_ended, {Pid}),
            tracer();
        {trace_ts, _, send, {Ref, Reply}, _, Stamp} when is_reference(Ref) ->
            case ets:take(driver_call, Ref) of
                [{_, Target, Request}] -> ets:insert(driver_log, {Stamp, {reply, Target, Request, Reply}});
                [] -> ok
            end,
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
    drop_replies().

drop_replies() ->
    receive {Ref, _} when is_reference(Ref) -> drop_replies() after 0 -> ok end.

lines(Root) ->
    {Lines, _} = lists:mapfoldl(fun({_, Event}, At) -> line(Root, Event, At) end, 0, ets:tab2list(driver_log)),
    [Lines, [["- reply ", name(Request), " ", Target, " noproc\n"] || {_, Target, Request} <- ets:tab2list(driver_call)]].

line(_, {at, At}, _) -> {[], At};
line(Root, Event, At) ->
    case words(Root, Event) of
        [] -> {[], At};
        Words -> {[integer_to_list(At), " ", Words, "\n"], At}
    end.

words(_, {started, Path}) -> ["started ", Path];
words(_, {start_failed, Path}) -> ["start_failed ", Path];
words(_, {root_exited, Reason}) -> ["root_exited ", reason(Reason)];
words(_, {gave_up, Pid}) -> ["gave_up ", ets:lookup_element(driver_pid, Pid, 2)];
words(_, {reply, Target, Request, Reply}) -> ["reply ", name(Request), " ", Target, " ", reply(Request, Reply)];
words(_, idle) -> "idle";
words(_, {skipped, Number}) -> ["skipped ", integer_to_list(Number)];
words(Root, {ended, Pid, Reason}) ->
    case ets:lookup(driver_pid, Pid) of
        [{_, Root, true}] -> ["root_exited ", reason(Reason)];
        [{_, Path, true}] -> ["ended ", Path, " ", reason(Reason)];
        _ -> []
    end.

name(Request) -> atom_to_list(element(1, Request)).

reason(normal) -> "normal";
reason(shutdown) -> "shutdown";
reason({shutdown, _}) -> "shutdown_with";
reason(killed) -> "killed";
reason(_) -> "abnormal".
