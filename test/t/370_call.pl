# A contract of four members that is called: its state tables are the same at all
# of them, whatever their servers differ in, and a call that fails changes
# nothing.
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
my $source = slurp_file("$FindBin::RealBin/../contracts/account.sql");

deploy($wires, 1, 'account', $source);
approve($wires, 'account', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'account'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);

# One call, and its outcome in the language of member 1.
sub outcome
{
	my ($member, $call) = @_;
	my $ref = $wires->sql($member, "SELECT account.$call");

	return $wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$ref', '$wait')");
}

# What a query gives at each of them, when they have applied as much as the first.
sub everywhere { return same_everywhere($wires, @_) }

differ($wires);

# Done, refused, failed.
is(outcome($_, "open('acc$_')"), 'done|00000|', "member $_ opens an account") foreach (@members);
is(outcome(1, q{open('x', 'GBP')}), 'done|00000|', 'and another one, with an argument that has a default');
is(outcome(1, q{deposit('acc1', 100000)}), 'done|00000|', 'what is deposited is there');
is(outcome(1, q{pay('acc1', 'acc2', 300)}), 'done|00000|', 'the owner pays');
is(outcome(2, q{pay('acc1', 'acc2', 300)}), 'refused|P0001|only its owner pays from an account', 'nobody else: in the words of the contract');
is(outcome(2, q{deposit('acc9', 5)}), 'refused|P0001|there is no account acc9', 'words with values in them');
like(outcome(1, q{pay('acc1', 'acc3', 99999)}), qr/^failed\|23514\|.*violates check constraint "enough"/, 'a constraint of the contract ends a call');
like(outcome(3, q{open('acc3')}), qr/^failed\|23505\|.*violates unique constraint "balance_pkey"/, 'and a key that is taken');
like(outcome(3, q{deposit('acc3', 9223372036854775807)}), qr/^done/, 'the largest amount');
like(outcome(3, q{deposit('acc3', 9223372036854775807)}), qr/^failed\|22003\|bigint out of range/, 'and an error of data');
is(outcome(4, "annotate('acc4', '$_')"), 'done|00000|', "a note on an account: $_") foreach ('first', 'second');
like(outcome(4, q{annotate('acc9', 'x')}), qr/^failed\|23503\|.*violates foreign key constraint "note_account_fkey"/, 'not on one that is not there');
is(everywhere('SELECT * FROM account.note ORDER BY number', 4, 1, 2, 3), "acc4|1|first\nacc4|2|second", 'all have the notes');
is(outcome(4, 'close_empty()'), 'done|00000|', 'a call without arguments');

my $expected = "acc1|1|EUR|98700\nacc2|2|EUR|300\nacc3|3|EUR|9131138316486228049\nx|1|GBP|0";

is(everywhere('SELECT * FROM account.balance ORDER BY account COLLATE "C"', @members), $expected, 'all have the same, and of the calls that failed nothing');
like(everywhere(q{SELECT ref, height, state, CASE state WHEN 'refused' THEN message END FROM ledger.call_outcome ORDER BY ref}, @members), qr/^1\..*\|done\|/, 'and the same outcomes');
like(everywhere('SELECT height, number, encode(leaf, \'hex\') FROM ledger_internal.outcome ORDER BY height, number', @members), qr/^\d+\|1\|07/, 'their leaves too');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.outcome'), '17', 'one for each call');

# The set hash, by another hand: what is hashed of each row.
my $hash = q{SELECT ledger.set_hash(uuid_send(t.table_id) || '\x0101'::bytea || uuid_send(t.table_id) || '\x00000001000000000000000000000001'::bytea || '\x00000001'::bytea
		|| '\x0004'::bytea || column_bytes(1, 1043, convert_to(account, 'UTF8')) || column_bytes(2, 20, int8send(owner))
		|| column_bytes(3, 1043, convert_to(asset, 'UTF8')) || column_bytes(4, 20, int8send(amount)))
		= (SELECT digest FROM ledger.state WHERE relation = 'account.balance'::regclass) FROM account.balance, ledger_internal.state_table AS t WHERE t.relation = 'account.balance'::regclass};

$wires->sql(1, q{CREATE FUNCTION column_bytes(number int, tag int, value bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT int2send(number::int2) || '\x00'::bytea || int4send(tag) || int4send(octet_length(value)) || value $$});
is($wires->sql(1, 'SELECT count(*) FROM account.note'), '0', 'the notes went with the account');
is($wires->sql(1, $hash), 't', 'the state of the table is the set hash of its rows');

# Many calls in one transaction, which change the same rows again and again.
differ_tables($wires, 'account');
{
	my $last = (split /\n/, $wires->sql(1, q{SELECT account.pay('acc1', 'acc2', n) FROM generate_series(1, 200) AS n}))[-1];
	my $back = $wires->sql(2, q{SELECT account.pay('acc2', 'acc1', 100)});

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$last', '$wait')"), 'done', 'a transaction of 200 calls');
	is($wires->sql(2, "SELECT state FROM ledger.outcome('$back', '$wait')"), 'done', 'beside one of another member');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$back', '$wait')"), 'done', 'which is done everywhere');
}
is(everywhere(q{SELECT amount FROM account.balance WHERE account = 'acc2'}, @members), 300 + 200 * 201 / 2 - 100, 'all of them count');

# At one member the rows lie in the opposite order.
{
	my $last = (split /\n/, $wires->sql(3, q{SELECT account.open('y' || n) FROM generate_series(1, 9) AS n}))[-1];

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$last', '$wait')"), 'done', 'more rows');
}
is(outcome(1, q{annotate('y1', 'one')}), 'done|00000|', 'a note on one');
is(everywhere('SELECT count(*) FROM account.balance', @members), '13', 'everywhere');
foreach my $table ('balance', 'note')
{
	$wires->sql(2, "CREATE INDEX ${table}_back ON account.$table (account DESC)");
	$wires->sql(2, "CLUSTER account.$table USING ${table}_back");
}
isnt($wires->sql(2, 'SELECT account FROM account.balance ORDER BY ctid'), $wires->sql(1, 'SELECT account FROM account.balance ORDER BY ctid'), 'member 2 stores them in another order');
is(outcome(3, q{annotate('y1', 'two')}), 'done|00000|', 'queries count');
is(outcome(1, q{pay('acc1', 'y5', 7)}), 'done|00000|', 'change');
is(everywhere('SELECT * FROM account.note ORDER BY account, number', @members), "y1|1|one\ny1|2|two", 'the same everywhere');
is(outcome(3, 'close_empty()'), 'done|00000|', 'and delete');
is(everywhere('SELECT account FROM account.balance ORDER BY account COLLATE "C"', @members), "acc1\nacc2\nacc3\nx\ny5", 'the same');
is($wires->sql(1, $hash), 't', 'the set hash has kept up');
like(everywhere('SELECT encode(digest, \'hex\') FROM ledger.state ORDER BY table_id', @members), qr/^[0-9a-f\n]+$/, 'and is the same everywhere');

# Rolled back: never called.
$wires->sql(2, q{BEGIN; SELECT account.deposit('acc2', 100); ROLLBACK});
is(outcome(2, q{deposit('acc2', 0)}), 'refused|P0001|an amount is above zero', 'a transaction that is rolled back has called nothing');

# What is this server's is no result: the block waits, and is applied again.
{
	my $session = $wires->node(4)->background_psql('postgres', on_error_stop => 1);

	$session->query_safe('BEGIN; LOCK TABLE account.balance');
	my $ref = $wires->sql(1, q{SELECT account.deposit('x', 200)});
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'a call while a member cannot change the table');
	ok($wires->poll(4, q{SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'account.balance'::regclass)}), 'which waits');
	my $worker = $wires->sql(4, 'SELECT worker_pid FROM ledger.status');

	$wires->sql(4, "SELECT pg_cancel_backend($worker)");
	ok($wires->poll(4, "SELECT worker_pid <> $worker AND EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'account.balance'::regclass) FROM ledger.status"), 'and tries again after it was cancelled');
	is($wires->sql(4, "SELECT state FROM ledger.outcome('$ref', '0')"), 'waiting', 'nothing has become of it there');
	$session->query_safe('ROLLBACK');
	$session->quit;
	is($wires->sql(4, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'until it can');
	is(everywhere(q{SELECT amount FROM account.balance WHERE account = 'x'}, @members), '198', 'the same as elsewhere');
}

# Functions in PL/pgSQL: as those in SQL, whatever the servers differ in.
$wires->sql(2, "LOAD 'plpgsql'; ALTER SYSTEM SET plpgsql.variable_conflict = 'use_variable'; ALTER SYSTEM SET plpgsql.extra_errors = 'all'; SELECT pg_reload_conf()");
deploy($wires, 1, 'program', slurp_file("$FindBin::RealBin/../contracts/program.sql"));
approve($wires, 'program', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'program'}, 'deployed'), "a contract in PL/pgSQL is deployed at member $_") foreach (@members);

sub program
{
	my ($member, $call) = @_;
	my $ref = $wires->sql($member, "SELECT program.$call");

	return $wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$ref', '$wait')");
}

# A new session compiles and plans anew; what it counts is the same.
sub new_session
{
	my ($member) = @_;
	my $worker = $wires->sql($member, 'SELECT worker_pid FROM ledger.status');

	$wires->sql($member, "SELECT pg_terminate_backend($worker)");
	ok($wires->poll($member, "SELECT worker_pid <> $worker FROM ledger.status"), "member $member has a new worker");
	return;
}

is(program(1, "owe('b', 'a', 30)"), 'done|00000|', 'a debt');
is(program(2, "owe('a', 'b', 20)"), 'done|00000|', 'and one back');
is(program(3, "owe('a', 'b', 20)"), 'done|00000|', 'which grows');
is(program(1, "owe('a', 'b', 0)"), 'refused|P0001|a owes 0 to b', 'RAISE EXCEPTION refuses, in its own words');
is(program(1, 'net()'), 'done|00000|', 'they are netted');
is(everywhere('SELECT debtor, creditor, amount FROM program.debt', @members), 'a|b|10', 'with the same result');
is(everywhere('SELECT * FROM program.journal', @members), '1|a and b: 30, all', 'and a journal of it');
is(program(1, 'net()'), 'refused|P0001|there is nothing to net', 'which is done once');
is(program(4, 'fill(9)'), 'done|00000|', 'many debts, in loops');
differ_tables($wires, 'program');
new_session(3);
is(program(4, 'net(5)'), 'done|00000|', 'some of them netted');
is(everywhere('SELECT entry FROM program.journal WHERE number > 1 ORDER BY number', @members), join("\n", map { "p1 and p$_: 1$_" } (2 .. 6)), 'the first ones by name, wherever their rows lie');
is(program(2, 'net()'), 'done|00000|', 'then all');
is(everywhere('SELECT count(*), sum(amount) FROM program.debt', @members), '37|1090', 'are');
is(everywhere('SELECT count(*) FROM program.journal', @members), '37', 'one entry for each pair');

# What ends a call.
my %ends = (
	loop => qr/^failed\|54000\|the call runs more than 100000 statements/,
	text => qr/^failed\|TL007\|the variables of function try\(.*\) have 16777\d{3} bytes/,
	array => qr/^failed\|TL007\|the variables of function/,
	none => qr/^failed\|P0002\|query returned no rows/,
	several => qr/^failed\|P0003\|query returned more than one row/,
	record => qr/^failed\|55000\|record "r" is not assigned yet/,
	return => qr/^failed\|2F005\|control reached end of function without RETURN/,
	null => qr/^failed\|22004\|/,
	zero => qr/^failed\|22012\|division by zero/,
	long => qr/^refused\|P0001\|x{1000}$/,
	internal => qr/^failed\|XX000\|a contract says so/,
	disk => qr/^failed\|53100\|a contract says so/,
	unique => qr/^failed\|23505\|unique_violation/,
	own => qr/^failed\|A0001\|code of its own: 0/,
	nonsense => qr/^failed\|42704\|unrecognized exception condition "x"/,
	other => qr/^failed\|20000\|case not found/,
	done => qr/^done\|00000\|$/);

my @kinds = sort keys %ends;
my @tries = split /\n/, $wires->sql(2, join '', map { "SELECT program.try('$_');\n" } @kinds);
like($wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$tries[$_]', '$wait')"), $ends{$kinds[$_]}, "a call that ends by: $kinds[$_]") foreach (0 .. $#kinds);
like(program(1, "try('column', 30)"), qr/^failed\|TL007\|/, 'what grows in a query is watched too');
is(program(1, "try('record', 1)"), 'done|00000|', 'a record that is assigned can be read');

# How many statements a call may run, to the last one: the body, PERFORM and the
# four of write_down, CASE, WHILE, assignments, and the RETURN at the end.  PERFORM and
# the two of SQL count as ten.
is(program(1, "try('count', 99964)"), 'done|00000|', 'a call that counts as 100,000 statements');
like(program(1, "try('count', 99965)"), qr/^failed\|54000\|/, 'not one of 100,001');
new_session(2);
is(program(1, "try('count', 99964)"), 'done|00000|', 'the same in a new session');
like(program(1, "try('calls', 34000)"), qr/^failed\|54000\|/, 'those of functions that are called count too');
is(everywhere('SELECT number, entry FROM program.journal WHERE number > 37 ORDER BY number', @members), "38|done\n39|record\n40|count\n41|count", 'and of calls that failed nothing is left');
is(everywhere(q{SELECT state, count(*) FROM ledger.call_outcome WHERE message IS DISTINCT FROM '' GROUP BY state ORDER BY state}, @members) =~ tr/\n//, 2, 'with the same outcomes');

# What is in a literal no server decides: not for contracts, nor for the library.
$wires->sql(3, 'ALTER SYSTEM SET standard_conforming_strings = off');
$wires->sql(3, 'SELECT pg_reload_conf()');
new_session(3);
is(program(3, "try('literal')"), 'refused|P0001|one\ntwo\n', 'literals in PL/pgSQL are read alike');
is(everywhere(q{SELECT words, length(words) FROM ledger_internal.call_outcome WHERE words LIKE 'one%'}, @members), 'one\ntwo\n|10', 'at all members');
is($wires->sql(3, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'the library reads its own statements as ever');
like(everywhere('SELECT fingerprint FROM ledger.member ORDER BY member', @members), qr/\A(?:(?:[0-9a-f]{8}-){8}[0-9a-f]{8}(?:\n|\z)){4}\z/, 'and fingerprints are told alike');
$wires->sql(3, 'ALTER SYSTEM RESET standard_conforming_strings');
$wires->sql(3, 'SELECT pg_reload_conf()');
new_session(3);

# Somebody puts a function into pg_catalog that PL/pgSQL would find first.
$wires->sql(4, q{CREATE FUNCTION pg_catalog.smaller(bigint, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 1});
new_session(4);
is(program(1, "owe('p1', 'p2', 500)"), 'done|00000|', 'a debt that does not use it');
is(program(1, 'net()'), 'done|00000|', 'a call that would');
ok($wires->node(4)->wait_for_log(qr{would use function "smaller", which other members do not have}), 'is not executed there');
$wires->sql(4, 'DROP FUNCTION pg_catalog.smaller(bigint, bigint)');
is(everywhere(q{SELECT entry FROM program.journal ORDER BY number DESC LIMIT 1}, @members), 'p1 and p2: 9, all', 'until that is gone');
like(everywhere('SELECT encode(digest, \'hex\') FROM ledger.state ORDER BY table_id', @members), qr/^[0-9a-f\n]+$/, 'the state is the same everywhere');

# Functions that are given values with which they can do nothing, and the smallest contract.
sub outcomes
{
	my ($contract, @calls) = @_;

	foreach my $case (@calls)
	{
		my ($call, $sqlstate, $message) = @$case;
		my $ref = $wires->sql(2, qq{SELECT "$contract".$call});

		like($wires->sql(1, "SELECT sqlstate, message FROM ledger.outcome('$ref', '$wait')"), $sqlstate eq '' ? qr/^00000\|$/ : qr/^$sqlstate\|.*\Q$message\E/, substr($call, 0, 40));
		is(everywhere("SELECT state FROM ledger.outcome('$ref', '$wait')", @members), { '' => 'done', P0001 => 'refused' }->{$sqlstate} // 'failed', 'ends alike everywhere');
	}
	return;
}

my %more = (values => 'contracts/values.sql', meter => 'contracts/meter.sql', heavy => 'contracts/heavy.sql');

deploy($wires, 1, $_, slurp_file("$FindBin::RealBin/../$more{$_}")) foreach (sort keys %more);
approve($wires, $_, 2, 3) foreach (sort keys %more);
ok($wires->poll($_, q{SELECT count(*) FROM ledger.contract WHERE name IN ('values', 'meter', 'heavy') AND state = 'deployed'}, '3'), "three more contracts are deployed at member $_") foreach (@members);
outcomes('values', @value_calls[ 0 .. 4 ]);
differ_tables($wires, 'values');
outcomes('values', @value_calls[ 5 .. $#value_calls ]);
outcomes('meter', @meter_calls[ 0 .. 1 ]);
differ_tables($wires, 'meter');
outcomes('meter', @meter_calls[ 2 .. $#meter_calls ]);
outcomes('heavy', [ 'fill(2000)', '', '' ], [ 'sorted(1)', '', '' ]);
differ_tables($wires, 'heavy');
outcomes('heavy', [ 'sorted(2)', '', '' ], [ q{grow(3, 'abc')}, '', '' ], [ 'touch(4)', '', '' ], [ 'sorted(1)', '23505', 'duplicate key' ]);
is(everywhere('SELECT * FROM heavy.result ORDER BY number', @members), "1|2000\n2|2000\n3|48\n4|0", 'and have found the same');
is(everywhere('SELECT number, octet_length(body) FROM "values".kept ORDER BY number', @members), "1|1048576\n3|1", 'all have kept the same values');
is(everywhere('SELECT * FROM meter.reading ORDER BY meter COLLATE "C"', @members), "M-1|2|6\nM-2|2|3", 'and have counted up the same');
like(everywhere('SELECT encode(digest, \'hex\') FROM ledger.state ORDER BY table_id', @members), qr/^[0-9a-f\n]+$/, 'the state is the same everywhere');

# A stable checkpoint has it all.
my $height = $wires->sql(1, 'SELECT height FROM ledger_internal.applied');

ok($wires->poll($_, "SELECT max(height) >= $height FROM ledger_internal.checkpoint"), "member $_ has a stable checkpoint of that state") foreach (@members);
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (@members);

# Verification reads a hundred batches at once.  The last of them is judged when the
# next ones are there: a body that was submitted by itself is still known as one.
{
	my $of_body = q{substring(b.header FROM 131 FOR 4) <> '\x00000000'};
	my $sections = 'ledger_internal.foreign_section AS s WHERE (s.member, s.incarnation, s.batch) = (b.member, b.incarnation, b.batch)';
	my $copy = 'INSERT INTO ledger_internal.foreign_batch (height, member, incarnation, batch, digest, header) SELECT';
	my $judged = q{detail LIKE 'What is in ledger_internal.foreign_section does not give the root%of member};

	is($wires->sql(2, "BEGIN; $copy 1, 99, 1, n, digest, header FROM (SELECT * FROM ledger_internal.foreign_batch AS b WHERE $of_body AND NOT EXISTS (SELECT FROM $sections) LIMIT 1) AS one,"
			. " generate_series(1, 100 - (SELECT count(*) FROM ledger_internal.foreign_batch AS b LEFT JOIN ledger_internal.foreign_section AS s USING (member, incarnation, batch) WHERE b.height = 1 AND $of_body)) AS n;"
			. " $copy 2, 0, 1, n, digest, header FROM (SELECT * FROM ledger_internal.foreign_batch AS b WHERE $of_body AND EXISTS (SELECT FROM $sections) LIMIT 1) AS one, generate_series(1, 150) AS n;"
			. " SELECT count(*) FILTER (WHERE $judged 0.'), count(*) FILTER (WHERE $judged 99.') FROM ledger.verify(mode => 'full'); ROLLBACK"), '150|0', 'a header that goes with its row');
}

# A superuser who changes a row below the access method is found out by a scan,
# and by the others.
sub below
{
	my ($change) = @_;
	my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

	$wires->sql(4, "SET allow_system_table_mods = on; BEGIN; $relam 'heap') WHERE oid = 'account.balance'::regclass; $change; $relam 'ledger_state') WHERE oid = 'account.balance'::regclass; COMMIT");
	return;
}

below(q{UPDATE account.balance SET amount = amount + 1 WHERE account = 'acc2'});
is($wires->sql(4, q{SELECT kind, relation, detail FROM ledger.verify(mode => 'full')}), 'state_changed|account.balance|The set hash stored for the table is not that of its rows.', 'a row that was changed shows');
is(outcome(2, q{pay('acc2', 'acc1', 1)}), 'done|00000|', 'calls that use it');
ok($wires->poll(4, q{SELECT stopped_by = 'diverged' FROM ledger.status}), 'and member 4 learns that its state is not that of the others');
is(everywhere(q{SELECT amount FROM account.balance WHERE account = 'acc2'}, 1, 2, 3), 300 + 200 * 201 / 2 - 101, 'who go on');

# When the row is right again, its state is computed anew.
below(q{UPDATE account.balance SET amount = amount - 1 WHERE account = 'acc2'});
like($wires->sql(4, 'SELECT ledger.recompute_state()'), qr/^\d+$/, 'with the right rows the state is computed again');
is(outcome(4, q{pay('acc4', 'acc1', 1)}), 'refused|P0001|only its owner pays from an account', 'and calls are executed there as well');
like(everywhere(q{SELECT encode(state_root, 'hex') FROM ledger_internal.state ORDER BY height DESC LIMIT 1}, @members), qr/^[0-9a-f]{64}$/, 'with the same state everywhere');
is($wires->sql(4, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and nothing is wrong');

# A publication of all tables needs to know which row changes, in each of the library's.
is($wires->sql(4, q{SELECT c.oid::regclass FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam
	WHERE c.relnamespace IN ('ledger'::regnamespace, 'ledger_internal'::regnamespace) AND c.relkind = 'r' AND a.amname = 'heap'
	AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)}), '', 'each of the library\'s tables has an identity for replication');

done_testing();
