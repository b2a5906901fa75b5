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
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my $source = slurp_file("$FindBin::RealBin/../contracts/account.sql");

deploy($wires, 1, 'account', $source);
approve($wires, 'account', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'account'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);

# One call; its outcome here.
sub outcome
{
	my ($member, $call) = @_;
	my $ref = $wires->sql($member, "SELECT account.$call");

	return $wires->sql($member, "SELECT state, sqlstate, message FROM ledger.outcome('$ref', '$wait')");
}

# What a query gives at each of them, when they have applied as much as the first.
sub everywhere
{
	my ($query, @who) = @_;
	my $height = $wires->sql($who[0], 'SELECT height FROM ledger_internal.applied');
	my %answers;

	foreach my $member (@who)
	{
		$wires->poll($member, "SELECT height >= $height FROM ledger_internal.applied");
		push @{ $answers{ $wires->sql($member, $query) } }, $member;
	}
	return keys(%answers) == 1 ? (keys %answers)[0] : join("\n", map { "at @{ $answers{$_} }: $_" } sort keys %answers);
}

# Servers differ: time zone, how values are written, what the planner may do and
# knows, indexes, the order in which rows are stored.
$wires->sql(2, q{ALTER SYSTEM SET TimeZone = 'Asia/Tokyo'; });
$wires->sql(2, q{ALTER SYSTEM SET DateStyle = 'German'; });
$wires->sql(2, q{ALTER SYSTEM SET enable_indexscan = off});
$wires->sql(2, q{ALTER SYSTEM SET work_mem = '64kB'});
$wires->sql(2, 'SELECT pg_reload_conf()');
$wires->sql(3, 'ALTER SYSTEM SET session_replication_role = replica');
$wires->sql(3, 'ALTER SYSTEM SET jit_above_cost = 0');
$wires->sql(3, 'ALTER SYSTEM SET enable_seqscan = off');
$wires->sql(3, 'SELECT pg_reload_conf()');
$wires->sql(3, 'CREATE INDEX by_owner ON account.balance (owner, amount)');
$wires->sql(4, 'CREATE PUBLICATION everything FOR ALL TABLES');

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
$wires->sql(2, 'VACUUM FULL account.balance');
$wires->sql(3, 'ANALYZE account.balance');
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

# A stable checkpoint has it all.
my $height = $wires->sql(1, 'SELECT height FROM ledger_internal.applied');

ok($wires->poll($_, "SELECT max(height) >= $height FROM ledger_internal.checkpoint"), "member $_ has a stable checkpoint of that state") foreach (@members);
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (@members);

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
like(everywhere('SELECT encode(digest, \'hex\') FROM ledger.state ORDER BY table_id', @members), qr/^[0-9a-f\n]+$/, 'with the same state everywhere');
is($wires->sql(4, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and nothing is wrong');

done_testing();
