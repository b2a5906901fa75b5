# Timers and events of a contract of four members: an idle ledger makes a block when a
# timer is due, and all members run it alike; what calls and timers tell is the same at all.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerDiffer;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, servers => differing_servers());
my @members = (1 .. 4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';

differ($wires);
deploy($wires, 1, 'timer', slurp_file("$FindBin::RealBin/../contracts/timer.sql"));
approve($wires, 'timer', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'timer'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);

# One call, and its outcome in the language of member 1.
sub outcome
{
	my ($member, $call) = @_;
	my $ref = $wires->sql($member, "SELECT timer.$call");

	return $wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$ref', '$wait')");
}

# What a query gives at each of them, when they have applied as much as the first.
sub everywhere { return same_everywhere($wires, $_[0], @members) }

# A contract of two versions, the second of which changes what the first has made.
foreach my $version (1, 2)
{
	deploy($wires, 1, 'shelf', slurp_file("$FindBin::RealBin/../" . ($version == 1 ? 'contracts/shelf.sql' : 'contracts/shelf_2.sql')));
	approve($wires, 'shelf', 2, 3);
	ok($wires->poll($_, "SELECT state FROM ledger.contract WHERE name = 'shelf' AND version = $version", 'deployed'), "version $version is deployed at member $_") foreach (@members);
	$wires->sql(1, q{SELECT shelf.keep(1); SELECT shelf.wait('of 1 in 1', '2999-01-01')}) if $version == 1;
	my $refs = join ', ', map { map { "'$_'" } split /\n/, $wires->sql($_, "SELECT shelf.put('of $_ in $version', 60 * $_); SELECT shelf.raise(3)") } @members;
	ok($wires->poll($_, "SELECT count(*) FROM ledger.call_outcome WHERE ref IN ($refs)", 8), "and called, at member $_") foreach (@members);
	unlike(everywhere(q{SELECT relation, digest FROM ledger.state WHERE relation::text LIKE 'shelf.%' ORDER BY table_id}), qr/^at /m, 'to the same state everywhere');
}

# A third one, which has a handler that nobody knew, and sets a timer for it; nobody does anything.
deploy($wires, 1, 'shelf', <<'END');
CREATE FUNCTION late(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE item SET sold = -2 WHERE name = (timer).key; END;
SELECT ledger.set_timer('late', 'of 1 in 1', '2000-01-01 00:00+00');
END
approve($wires, 'shelf', 2, 3);
ok($wires->poll($_, q{SELECT state = 'done' FROM ledger.timer_outcome WHERE handler = 'late'}), "a timer that a version has set for its new handler runs at member $_") foreach (@members);
is(everywhere(q{SELECT i.name, o.height > c.height AND b.time >= o.at, ledger.member(o.ref) FROM shelf.item AS i, ledger.timer_outcome AS o JOIN ledger.block AS b USING (height), ledger_internal.contract AS c WHERE i.sold = -2 AND o.handler = 'late' AND c.name = 'shelf' AND c.version = 3}), 'of 1 in 1|t|0', 'in a block behind that of the version');
unlike(everywhere(q{SELECT relation, digest FROM ledger.state WHERE relation::text LIKE 'shelf.%' ORDER BY table_id}), qr/^at /m, 'and gives the same state everywhere');

# Nobody does anything, and a block comes.
is(outcome(1, q{make('first', '2 s')}), 'done|00000|', 'a call sets a timer');
is($wires->sql(1, q{SELECT o.state, t.at = o.until FROM timer.offer AS o JOIN timer.expire_timer AS t ON t.key = o.name}), 'open|t', 'which is state');
ok($wires->poll($_, q{SELECT state = 'done' FROM ledger.timer_outcome WHERE contract = 'timer' AND handler = 'expire' AND key = 'first'}), "at its time it runs at member $_, without a call") foreach (@members);
is(everywhere(q{SELECT name, o.state, ended >= until, b.time = ended, t.at = until, t.ref = ended_by, t.ref = ('0.0.' || t.height || '.1')::ledger.ref
		FROM timer.offer AS o JOIN ledger.timer_outcome AS t ON t.key = o.name JOIN ledger.block AS b ON b.height = t.height}),
	'first|over|t|t|t|t|t', 'in the first block that is late enough');
is(everywhere('SELECT count(*) FROM timer.expire_timer'), '0', 'and is gone');
like(everywhere('SELECT encode(digest, \'hex\') FROM ledger.state ORDER BY table_id'), qr/^[0-9a-f\n]+$/, 'the state is the same everywhere');
like(everywhere('SELECT height, number, encode(leaf, \'hex\') FROM ledger_internal.outcome ORDER BY height, number'), qr/\A(?!at ).*^(\d+)\|1\|070102.*^\1\|2\|070105/ms, 'and the leaves, of what it has told and of the timer');

# What is cancelled, or moved, does not run.
is(outcome(2, q{make('taken', '1000 s')}), 'done|00000|', 'a timer of later');
is(outcome(3, q{take('taken')}), 'done|00000|', 'is cancelled');
is(everywhere('SELECT count(*) FROM timer.expire_timer'), '0', 'at all members');
is(outcome(1, q{cancel('nothing')}), 'done|00000|', 'also if there is none');

# The last time that there is, which microseconds since 1970 do not reach: nothing is due.
is(outcome(1, q{set('end', '294276-12-31 23:59:59.999999Z')}), 'done|00000|', 'a timer of the end of all times');
is(everywhere('SELECT count(*) FROM timer.expire_timer'), '1', 'the only one');
{
	my $before = $wires->sql(1, 'SELECT max(height) FROM ledger.block');

	$wires->sql(1, 'SELECT pg_sleep(2)');
	cmp_ok($wires->sql(1, 'SELECT max(height) FROM ledger.block') - $before, '<', 10, 'does not keep the ledger busy');
}
is(outcome(1, q{cancel('end')}), 'done|00000|', 'it goes as any other');
{
	my $refs = join ',', map { "'$_'" } split /\n/, $wires->sql(1, q{SELECT timer.set('passed', '2000-01-01') FROM generate_series(1, 3)});

	is($wires->sql(1, "SELECT o.state FROM unnest(ARRAY[$refs]::ledger.ref[]) AS r, ledger.outcome(r, '$wait') AS o"), "done\ndone\ndone", 'calls set a time that has passed');
	is(everywhere(qq{SELECT t.at = b.time, t.ref = ('0.0.' || c.height || '.1')::ledger.ref, t.state
			FROM (SELECT DISTINCT height FROM ledger.call_outcome WHERE ref IN ($refs)) AS c JOIN ledger.block AS b USING (height) JOIN ledger.timer_outcome AS t USING (height)}),
		't|t|done', 'it runs once, behind the calls of their block');
	is(everywhere(q{SELECT count(*) FROM timer.expire_timer}), '0', 'and is gone');
}
like(outcome(1, q{set('x', 'infinity')}), qr/^failed\|22008\|/, 'no time at all is an error');
like(outcome(1, q{set('x', NULL)}), qr/^failed\|22004\|/, 'and none');
like(outcome(1, q{set(NULL, now())}), qr/^failed\|22004\|/, 'no key');
like(outcome(1, q{cancel(repeat('x', 256))}), qr/^failed\|22001\|/, 'too long a key');
is(outcome(1, q{set(repeat('x', 255), '2999-01-01')}), 'done|00000|', 'the longest one');

# A handler that sets itself anew, until it fails: of that nothing is left but the outcome.
is(outcome(4, q{tick('clock')}), 'done|00000|', 'a timer that sets itself anew');
ok($wires->poll($_, q{SELECT count(*) = 4 FROM ledger.timer_outcome WHERE key = 'clock'}), "runs four times at member $_") foreach (@members);
is(everywhere(q{SELECT state, sqlstate FROM ledger.timer_outcome WHERE key = 'clock' ORDER BY height}), "done|00000\ndone|00000\ndone|00000\nfailed|23514", 'the last one fails');
is(everywhere(q{SELECT number, (SELECT count(*) FROM timer.next_tick_timer) FROM timer.tick}), '3|0', 'which has changed nothing, and is gone');
is(everywhere(q{SELECT min(next - time) >= interval '1 s' FROM (SELECT b.time, lead(b.time) OVER (ORDER BY height) AS next
		FROM ledger.timer_outcome JOIN ledger.block AS b USING (height) WHERE key = 'clock') AS t}), 't', 'not more often than each second');

# All of those that are due run in their order, so many in a block.
{
	$wires->sql(2, "SELECT timer.set('key ' || n, now() + interval '2 s') FROM generate_series(1, 1100) AS n");
	ok($wires->poll($_, q{SELECT count(*) = 1100 FROM ledger.timer_outcome WHERE key LIKE 'key %'}), "many run at member $_") foreach (@members);
	is(everywhere(q{SELECT string_agg(n::text, ' ' ORDER BY height) FROM (SELECT height, count(*) AS n FROM ledger.timer_outcome WHERE key LIKE 'key %' GROUP BY height) AS t}), '1000 100', 'in two blocks');
	is(everywhere(q{SELECT count(*) FROM (SELECT key, at, (at, key COLLATE "C") < lead((at, key COLLATE "C")) OVER (ORDER BY ref) AS ordered
			FROM ledger.timer_outcome WHERE key LIKE 'key %') AS t WHERE NOT ordered}), '0', 'in order');
}

# A member is down when one is due; it runs it when it is back.
is(outcome(1, q{make('crash', '2 s')}), 'done|00000|', 'a timer');
$wires->poll(4, q{SELECT EXISTS (SELECT FROM timer.offer WHERE name = 'crash')});
$wires->node(4)->stop('immediate');
ok($wires->poll(1, q{SELECT state = 'over' FROM timer.offer WHERE name = 'crash'}), 'it runs while member 4 is down');
$wires->node(4)->start;
ok($wires->poll(4, q{SELECT state = 'over' FROM timer.offer WHERE name = 'crash'}), 'and there when it is back');

# All are down, and nobody does anything afterwards.
is(outcome(1, q{make('night', '3 s')}), 'done|00000|', 'another one');
$wires->poll($_, q{SELECT EXISTS (SELECT FROM timer.offer WHERE name = 'night')}) foreach (@members);
$wires->node($_)->stop($_ % 2 ? 'fast' : 'immediate') foreach (@members);
$wires->node($_)->start foreach (@members);
ok($wires->poll($_, q{SELECT state = 'over' FROM timer.offer WHERE name = 'night'}), "it runs at member $_ after a start of all") foreach (@members);
is(everywhere(q{SELECT ref, contract, handler, key, at, height, state FROM ledger.timer_outcome ORDER BY ref}) =~ tr/\n//, $wires->sql(1, 'SELECT count(*) - 1 FROM ledger.timer_outcome'), 'all have run the same timers');
like(everywhere('SELECT encode(leaf, \'hex\') FROM ledger_internal.outcome ORDER BY height, number'), qr/\A(?!at ).*^070105/ms, 'with the same outcomes');
like(everywhere('SELECT encode(digest, \'hex\') FROM ledger.state ORDER BY table_id'), qr/^[0-9a-f\n]+$/, 'and the same state');

is(outcome(1, q{make('open', '1000 s')}), 'done|00000|', 'one that waits');

# Events: rows at all members, if the call is done, and sessions that listen are woken.
is(everywhere(q{SELECT e.number, e.contract, e.payload, e.ref = o.ref FROM ledger.event AS e JOIN ledger.timer_outcome AS o USING (ref) WHERE e.name = 'over' AND o.key = 'first'}),
	'1|timer|{"offer": "first"}|t', 'what a timer has told');
is(everywhere(q{SELECT payload FROM ledger.event WHERE name = 'made' ORDER BY height LIMIT 1}), '{"offer": "first", "owner": "1"}', 'and a call');
{
	my $session = $wires->node(3)->background_psql('postgres');
	my ($heard, $height);

	$session->query_safe('LISTEN ledger_event');
	is(outcome(2, q{tell('three', '{"b": [1.00, "\u00e4"], "a": null}', 3)}), 'done|00000|', 'a function in PL/pgSQL tells three');
	is(everywhere(q{SELECT string_agg(number || ' ' || replace(payload::text, U&'\00e4', 'ae'), ', ' ORDER BY number) FROM ledger.event WHERE name = 'three'}),
		join(', ', map { qq($_ {"a": null, "b": [1.00, "ae"]}) } 1 .. 3), 'which have numbers in their block');
	$height = $wires->sql(3, q{SELECT max(height) FROM ledger.event WHERE name = 'three'});
	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$heard .= $session->query('SELECT pg_sleep(0.1)');
		last if $heard =~ /"ledger_event" with payload "$height timer"/;
	}
	like($heard, qr/"ledger_event" with payload "$height timer"/, 'a session that listens is woken');
	$session->quit;
}
is(outcome(1, q{tell('back', '{}', 3, true)}), 'refused|P0001|told, and taken back', 'a call that is refused');
is(outcome(1, q{tell('much', to_jsonb(repeat('x', 8190)))}), 'done|00000|', 'the longest payload');
like(outcome(1, qq{tell($_->[0])}), qr/^failed\|$_->[1]\|/, "fails: $_->[0]")
  foreach ([ q{'much', to_jsonb(repeat('x', 8191))}, 54000 ], [ q{'much', to_jsonb(repeat('x', 1000000))}, 54000 ],
	[ q{'', '{}'::jsonb}, 22023 ], [ q{repeat('x', 64), '{}'}, 22001 ], [ q{NULL, '{}'::jsonb}, 22004 ], [ q{'none', NULL::jsonb}, 22004 ], [ q{'many', '{}', 1001}, 54000 ]);
is(outcome(1, q{tell('many', '{}', 1000)}), 'done|00000|', 'as many as a call can tell');
is(everywhere(q{SELECT name, count(*) FROM ledger.event WHERE name NOT IN ('made', 'over') GROUP BY name ORDER BY name COLLATE "C"}), "many|1000\nmuch|1\nthree|3", 'of a call that is not done there are none');
is(everywhere(q{SELECT count(*) FROM (SELECT number, row_number() OVER (PARTITION BY height ORDER BY number) AS place FROM ledger.event) AS e WHERE number <> place}), '0', 'numbers have no gaps');

# Nobody else changes them, superusers included; below the access method it shows.
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (1, 4);
refused($wires, 1, q{UPDATE timer.expire_timer SET at = now()}, qr/cannot change state table "expire_timer"/, 'timers are state');
refused($wires, 1, q{SELECT ledger.set_timer('expire', 'x', now())}, qr/timers are set and cancelled by calls of contracts/, 'set by calls alone');
refused($wires, 1, q{SELECT ledger.emit('x')}, qr/events are told by calls of contracts/, 'nobody else tells events');
refused($wires, 1, q{SET ROLE ledger_submitter; INSERT INTO ledger.event VALUES (1, 1, 'timer', 'x', '{}', '1.0.1.1')}, qr/permission denied/, 'or writes them');
is($wires->sql(1, q{SET ROLE ledger_reader; SELECT count(*) > 0 FROM ledger.event}), 't', 'readers read them');
refused($wires, 1, q{SELECT timer.expire(ROW('open', now(), '1.0.1.1', now(), 1)::ledger.timer)}, qr/cannot change state table "offer"/, 'nobody runs a handler');
foreach my $change (
	q{UPDATE ledger_internal.timer_run SET key = 'second' WHERE key = 'first'},
	q{UPDATE ledger_internal.timer_run SET at = at + interval '1 us' WHERE key = 'first'},
	q{UPDATE ledger_internal.timer_run SET handler = 'other' WHERE key = 'first'},
	q{UPDATE ledger_internal.timer_run SET contract = 'other' WHERE key = 'first'},
	q{DELETE FROM ledger_internal.timer_run WHERE key = 'first'},
	q{UPDATE ledger_internal.call_outcome SET sqlstate = '2F000' WHERE ref = (SELECT ref FROM ledger.timer_outcome WHERE key = 'first')},
	q{UPDATE ledger_internal.call_outcome SET words = 'so' WHERE ref = (SELECT min(ref) FROM ledger.call_outcome WHERE ledger.member(ref) = 1)},
	q{UPDATE ledger_internal.call_outcome SET height = height + 1 WHERE ref = (SELECT min(ref) FROM ledger.call_outcome WHERE ledger.member(ref) = 1)},
	q{DELETE FROM ledger_internal.call_outcome WHERE ref = (SELECT min(ref) FROM ledger.call_outcome WHERE ledger.member(ref) = 1)},
	q{INSERT INTO ledger_internal.timer_run SELECT min(ref), 'timer', 'expire', 'x', now() FROM ledger.call_outcome WHERE ledger.member(ref) = 1}
  )
{
	$wires->sql(2, 'CREATE TABLE kept_runs AS TABLE ledger_internal.timer_run; CREATE TABLE kept_calls AS TABLE ledger_internal.call_outcome');
	$wires->sql(2, $change);
	like($wires->sql(2, q{SELECT string_agg(DISTINCT kind, ' ') FROM ledger.verify(mode => 'full')}), qr/^outcome_changed$/, "named: $change");
	$wires->sql(2, 'TRUNCATE ledger_internal.timer_run, ledger_internal.call_outcome; INSERT INTO ledger_internal.timer_run TABLE kept_runs; INSERT INTO ledger_internal.call_outcome TABLE kept_calls; DROP TABLE kept_runs, kept_calls');
}
is($wires->sql(2, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and nothing when they are as they were');
# However many there are, each is compared, and named once.
is($wires->sql(2, q{BEGIN; INSERT INTO ledger_internal.outcome (height, number, leaf)
	SELECT height, 1000000 + n, '\x070101'::bytea || int8send(height) || uuid_send(('7.0.' || n || '.1')::ledger.ref::uuid) || convert_to('00000', 'UTF8') || sha256('')
	FROM (SELECT n, 1 + n % (SELECT height FROM ledger_internal.applied) AS height FROM generate_series(1, 25000) AS n) AS s;
	SELECT count(*), count(DISTINCT ref) FROM ledger.verify(mode => 'full') WHERE kind = 'outcome_changed'; ROLLBACK}), '25000|25000', 'many that are on no call');
foreach my $change (
	q{UPDATE ledger_internal.event SET payload = '{"offer": "second"}' WHERE payload = '{"offer": "first"}'},
	q{UPDATE ledger_internal.event SET payload = '{"a": null, "b": [1.0, "\u00e4"]}' WHERE name = 'three' AND number = 2},
	q{UPDATE ledger_internal.event SET name = 'done' WHERE payload = '{"offer": "first"}'},
	q{UPDATE ledger_internal.event SET contract = 'other' WHERE payload = '{"offer": "first"}'},
	q{UPDATE ledger_internal.event SET ref = '1.0.1.1' WHERE payload = '{"offer": "first"}'},
	q{UPDATE ledger_internal.event SET number = 4 WHERE name = 'three' AND number = 1},
	q{DELETE FROM ledger_internal.event WHERE payload = '{"offer": "first"}'},
	q{DELETE FROM ledger_internal.event WHERE name = 'three' AND number = 3},
	q{INSERT INTO ledger_internal.event SELECT height, 4, ref, contract, name, payload FROM ledger_internal.event WHERE name = 'three' AND number = 3},
	q{DELETE FROM ledger_internal.outcome WHERE height = (SELECT max(height) FROM ledger_internal.event WHERE name = 'three') AND number = 2}
  )
{
	$wires->sql(2, 'CREATE TABLE kept_events AS TABLE ledger_internal.event; CREATE TABLE kept_leaves AS TABLE ledger_internal.outcome');
	$wires->sql(2, $change);
	like($wires->sql(2, q{SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM ledger.verify(mode => 'full')}), qr/^event_changed( state_changed)?$/, "named: $change");
	$wires->sql(2, 'TRUNCATE ledger_internal.event, ledger_internal.outcome; INSERT INTO ledger_internal.event TABLE kept_events; INSERT INTO ledger_internal.outcome TABLE kept_leaves; DROP TABLE kept_events, kept_leaves');
}
$wires->sql(2, 'CREATE TABLE kept_events AS TABLE ledger_internal.event; TRUNCATE ledger_internal.event');
$wires->sql(2, q{CREATE TABLE kept_leaves AS TABLE ledger_internal.outcome; DELETE FROM ledger_internal.outcome WHERE substring(leaf FOR 3) = '\x070102'});
is($wires->sql(2, q{SELECT string_agg(DISTINCT kind, ' ') FROM ledger.verify(mode => 'full')}), 'state_changed', 'named: all events, and their leaves');
$wires->sql(2, 'INSERT INTO ledger_internal.event TABLE kept_events; TRUNCATE ledger_internal.outcome; INSERT INTO ledger_internal.outcome TABLE kept_leaves');
is($wires->sql(2, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and nothing when they are back');
is($wires->sql(2, q{SELECT o.state FROM ledger.timer_outcome AS t, ledger.outcome(t.ref, '5 min') AS o WHERE t.key = 'first'}), 'done', 'the outcome of a timer, by its ref');
$wires->sql(4, q{SET allow_system_table_mods = on; BEGIN; UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE oid = 'timer.expire_timer'::regclass;
	UPDATE timer.expire_timer SET at = at + interval '1 day'; UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'ledger_state') WHERE oid = 'timer.expire_timer'::regclass; COMMIT});
is($wires->sql(4, q{SELECT kind, relation FROM ledger.verify(mode => 'full')}), 'state_changed|timer.expire_timer', 'a timer that a superuser has moved is named');

done_testing();
