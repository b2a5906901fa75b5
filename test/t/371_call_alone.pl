# State tables and functions of a contract on a ledger of one member: nobody but
# the contract changes them, superusers included; a dump restores them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(1, ordered => 1);
my $node = $wires->node(1);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my $source = slurp_file("$FindBin::RealBin/../contracts/account.sql");

$wires->announce(1);
deploy($wires, 1, 'account', $source);
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'account'}, 'deployed'), 'the contract is deployed');

sub outcome
{
	my ($call) = @_;
	my $ref = $wires->sql(1, "SELECT account.$call");

	return $wires->sql(1, "SELECT state, message FROM ledger.outcome('$ref', '$wait')");
}

is(outcome(q{open('alice')}), 'done|', 'it is called');
is(outcome(q{deposit('alice', 1000)}), 'done|', 'and again');
my $balance = $wires->sql(1, 'SELECT * FROM account.balance');

is($balance, 'alice|1|EUR|990', 'which changes its state');

# Nobody else does.
my $state = qr/ERROR:.*cannot change state table "balance".*\n.*DETAIL:.*by its contract alone.*\n.*HINT:.*Call a function of the contract/;

foreach my $change (
	q{INSERT INTO account.balance VALUES ('mallory', 1, 'EUR', 1)},
	q{INSERT INTO account.balance VALUES ('alice', 1, 'EUR', 1) ON CONFLICT (account) DO UPDATE SET amount = 5},
	q{INSERT INTO account.balance VALUES ('bob', 1, 'EUR', 1) ON CONFLICT DO NOTHING},
	'UPDATE account.balance SET amount = 5',
	'DELETE FROM account.balance',
	q{MERGE INTO account.balance AS b USING (VALUES ('alice')) AS v (a) ON b.account = v.a WHEN MATCHED THEN DELETE},
	q{COPY account.balance FROM PROGRAM 'echo "bob,1,EUR,1"' WITH (FORMAT csv)},
	'SELECT FROM account.balance FOR UPDATE',
	'SET ROLE ledger_contract; UPDATE account.balance SET amount = 5',
	q{SELECT account.open(ROW(1, '{}', NULL, NULL, now(), 1)::ledger.context, 'eve')},
	q{SET session_replication_role = replica; DELETE FROM account.balance}
  )
{
	refused($wires, 1, $change, $state, "refused: $change");
}
$wires->sql(1, q{CREATE OPERATOR CLASS own_ops FOR TYPE bigint USING hash AS OPERATOR 1 =, FUNCTION 1 hashint8(bigint)});
foreach my $change (
	'TRUNCATE account.balance',
	'ALTER TABLE account.balance ADD COLUMN a integer',
	'ALTER TABLE account.balance DROP CONSTRAINT enough',
	'ALTER TABLE account.balance SET ACCESS METHOD heap',
	'ALTER TABLE account.balance DISABLE TRIGGER ALL',
	'DROP TABLE account.balance CASCADE',
	'CREATE TRIGGER t BEFORE UPDATE ON account.balance FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'CREATE UNIQUE INDEX ON account.balance (amount)',
	'CREATE INDEX ON account.balance ((1 / amount))',
	'CREATE INDEX ON account.balance (owner) WHERE 1 / amount > 0',
	'CREATE INDEX CONCURRENTLY ON account.balance ((1 / amount))',
	'CREATE INDEX ON account.note (body)',
	'CREATE INDEX CONCURRENTLY ON account.note (number) INCLUDE (body)',
	'CREATE INDEX ON account.balance USING brin (amount)',
	'CREATE INDEX ON account.balance USING hash (owner own_ops)',
	'CREATE TABLE child () INHERITS (account.balance)',
	'CREATE TABLE parent (account varchar(40) REFERENCES account.balance)',
	'DROP FUNCTION account.fee(bigint) CASCADE',
	'DROP FUNCTION account.open(varchar, varchar)',
	'CREATE OR REPLACE FUNCTION account.fee(amount bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 0',
	'CREATE FUNCTION account.other() RETURNS bigint LANGUAGE sql RETURN 0',
	'ALTER FUNCTION account.fee(bigint) STABLE',
	'ALTER FUNCTION account.fee(bigint) OWNER TO postgres',
	'ALTER FUNCTION account.fee(bigint) RENAME TO other',
	'ALTER FUNCTION account.fee(bigint) SET SCHEMA public',
	'ALTER TABLE account.open_call ADD COLUMN a integer',
	'TRUNCATE account.open_call'
  )
{
	refused($wires, 1, $change, qr/ERROR:  (cannot change|index "\w+" on a (shared table cannot be unique|state table (can have neither|has to be a btree or hash|has no room))|no other table can depend on state table|cannot (alter|drop|truncate))/, "refused: $change");
}
my $by_hand = qr/ERROR:  cannot create or empty state table "hand".*\n.*DETAIL:.*made by the scripts of contracts.*\n.*HINT:.*ledger.deploy/;

$wires->sql(1, 'CREATE TABLE plain (a integer); CREATE TABLE filled AS SELECT 1 AS a');
refused($wires, 1, $_, $by_hand, "refused: $_")
  foreach ('CREATE TABLE hand (a integer PRIMARY KEY) USING ledger_state',
	'SET default_table_access_method = ledger_state; CREATE TABLE hand AS SELECT 1 AS a',
	'CREATE MATERIALIZED VIEW hand USING ledger_state AS SELECT 1 AS a');
refused($wires, 1, 'ALTER TABLE filled SET ACCESS METHOD ledger_state', qr/ERROR:  cannot create or empty state table/, 'no table becomes one');
$wires->sql(1, $_) foreach ('VACUUM FULL account.balance', 'CREATE INDEX mine ON account.balance (owner)', 'CLUSTER account.balance USING mine', 'REINDEX TABLE account.balance', 'ANALYZE account.balance', 'CREATE INDEX CONCURRENTLY more ON account.balance (amount)', 'CREATE INDEX ON account.note USING hash (body)', 'DROP INDEX account.mine');
is($wires->sql(1, 'SELECT * FROM account.balance'), $balance, 'what members do with their own storage is not, and nothing has changed');

# An index in which a value has no room, made by going around the guard, is this
# server's own: no result, the block waits for it to go.
my $relam = q{UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '%s') WHERE oid = 'account.note'::regclass};

$wires->sql(1, sprintf("SET allow_system_table_mods = on; BEGIN; $relam; CREATE INDEX narrow ON account.note (body); $relam; COMMIT", 'heap', 'ledger_state'));
{
	my $ref = $wires->sql(1, q{SELECT account.annotate('alice', string_agg(sha256(int4send(n))::text, '')) FROM generate_series(1, 300) AS n});

	ok($node->wait_for_log(qr/ERROR:  index row requires/), 'an entry too large for an own index is an error of this server');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '0')"), 'waiting', 'and no outcome');
	$wires->sql(1, 'DROP INDEX account.narrow');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'without the index the call is done');
}

# Who calls: those to whom it was given.
$wires->sql(1, 'CREATE ROLE app; GRANT ledger_submitter TO app; CREATE ROLE other');
refused($wires, 1, q{SET ROLE other; SELECT account.open('bob')}, qr/permission denied for function open/, 'not everybody may call');
refused($wires, 1, q{SET ROLE app; INSERT INTO account.open_call VALUES ('bob', 'EUR')}, qr/permission denied for table open_call/, 'who may call need not insert');
my $ref = $wires->sql(1, q{SET ROLE app; SELECT account.open(account => 'bob')});

is($wires->sql(1, "SET ROLE app; SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'who may sees its outcome');
is($wires->sql(1, "SELECT account, asset FROM account.open_call WHERE ledger_ref = '$ref'"), 'bob|EUR', 'a call is a row like any other');
# Statement and outcome in one, by a procedure.
sub executed
{
	my ($query) = @_;
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query", on_error_stop => 1);

	return $code ? $err : $out;
}

like(executed(q{CALL ledger.execute(account.deposit('bob', 200))}), qr/^1\.0\.\d+\.1\|\d+$/, 'CALL ledger.execute gives the ref and the block of a call that is done');
like(executed(q{CALL ledger.execute(account.deposit(amount => 200, account => 'bob'), wait => '5 min')}), qr/^1\.0\.\d+\.1\|\d+$/, 'with names');
is($wires->sql(1, q{SELECT amount FROM account.balance WHERE account = 'bob'}), '396', 'and it is done at once');
like(executed(q{SET ROLE app\; CALL ledger.execute(account.open('carol'))}), qr/ERROR:  25001/, 'a string of two statements is a transaction block');
like(executed(q{SET default_transaction_isolation = serializable;
CALL ledger.execute(account.open('carol'))}), qr/^1\.0\.\d+\.1\|\d+$/, 'at whatever isolation level');
like(executed(q{SET ROLE app;
CALL ledger.execute(account.pay('bob', 'carol', 96))}), qr/^1\.0\.\d+\.1\|\d+$/, 'by whoever may call');
like(executed(q{SET ROLE other;
CALL ledger.execute('1.0.5.1')}), qr/ERROR:  42501: permission denied for procedure execute/, 'by nobody else');
like(executed(q{CALL ledger.execute(account.deposit('bob', 0))}),
	qr/ERROR:  P0001: an amount is above zero\nDETAIL:  The contract has refused call 1\.0\.\d+\.1 in block \d+\. Nothing has changed\./, 'what is refused is an error in the words of the contract');
like(executed(q{CALL ledger.execute(account.open('bob'))}),
	qr/ERROR:  23505: duplicate key .*\nDETAIL:  Call 1\.0\.\d+\.1 has failed in block \d+\. Nothing has changed\./, 'what failed has its SQLSTATE');
{
	my $calls = 'SELECT count(*) FROM account.deposit_call';
	my $before = $wires->sql(1, $calls);

	foreach my $block (q{BEGIN;\nCALL}, q{DO $$ BEGIN PERFORM set_config('a.b', '', false); EXECUTE 'CALL ledger.execute(account.deposit(''bob'', 1))'; END $$; --})
	{
		like(executed(($block =~ s/\\n/\n/r) . q{ ledger.execute(account.deposit('bob', 1))}),
			qr/ERROR:  25001: ledger\.execute cannot run inside a transaction block\nDETAIL:  .*Nothing is called.*\nHINT:  .*ledger\.outcome/, 'refused: ' . substr($block, 0, 5));
	}
	is($wires->sql(1, $calls), $before, 'and nothing is called then');
	like(executed("CALL ledger.execute($_)"), qr/ERROR:  22004: .* of ledger.execute is null/, "refused: $_") foreach ('NULL', q{account.deposit('bob', 1), NULL});
	is($wires->sql(1, $calls), $before, 'and nothing either');
	like(executed("CALL ledger.execute('$ref')"), qr/^\Q$ref\E\|\d+$/, 'a call that is committed is waited for again');
	like(executed("CALL ledger.execute('" . $wires->sql(1, 'SELECT min(ledger_ref) FROM ledger.table_version') . "')"), qr/ERROR:  TL018: .*is no call/, 'another row is not');
}

# The wait ends and the call does not.
{
	my $session = $node->background_psql('postgres', on_error_stop => 1);

	$session->query_safe('BEGIN; LOCK TABLE account.balance');
	like(executed(q{CALL ledger.execute(account.deposit('bob', 100), wait => '100 ms')}),
		qr/ERROR:  TL020: call (1\.0\.\d+\.1) is committed but not final yet\nDETAIL: .*\nHINT:  Do not call again: SELECT \* FROM ledger\.outcome\('\1'/, 'when the time is over the ref is told');
	like(executed(qq{SET statement_timeout = '500 ms';\nCALL ledger.execute(account.deposit('bob', 100), wait => '10 min')}),
		qr/ERROR:  57014: canceling statement due to statement timeout\nDETAIL:  Call 1\.0\.\d+\.1 is committed and takes effect all the same\.\nHINT: .*ledger\.outcome\('1\.0\./, 'and when it is cancelled');
	$session->query_safe('ROLLBACK');
	$session->quit;
	ok($wires->poll(1, q{SELECT amount FROM account.balance WHERE account = 'bob'}, '498'), 'both are done later');
}

# To clients the functions look like any other.
is($wires->sql(1, q{SELECT pg_get_function_identity_arguments(oid), pg_get_function_arguments(oid), pg_get_function_result(oid), prokind FROM pg_proc WHERE oid = 'account.open(varchar, varchar)'::regprocedure}),
	q{account character varying, asset character varying|account character varying, asset character varying DEFAULT 'EUR'::character varying|ledger.ref|f}, 'a call has the arguments, names and defaults of the contract');
is($wires->sql(1, q{SELECT string_agg(p.parameter_name || ' ' || p.data_type || coalesce(' ' || p.parameter_default, ''), ', ' ORDER BY p.ordinal_position)
	FROM information_schema.parameters AS p JOIN information_schema.routines AS r USING (specific_schema, specific_name)
	WHERE r.routine_schema = 'account' AND r.routine_name = 'open' AND p.specific_name = 'open_' || 'account.open(varchar, varchar)'::regprocedure::oid}),
	q{account character varying, asset character varying 'EUR'::character varying}, 'in the information schema too');
like(executed('\df account.open'), qr/^account\|open\|ledger\.ref\|account character varying, asset character varying DEFAULT 'EUR'::character varying\|func$/m, 'and in psql');
refused($wires, 1, q{SELECT account.open(account => 'x', currency => 'EUR')}, qr/function account\.open\(account => unknown, currency => unknown\) does not exist/, 'a name that it has not is refused');

refused($wires, 1, 'SET ROLE app; SELECT * FROM account.total; SELECT account.move(\'alice\', \'bob\', 1)', qr/permission denied for function move/, 'what entry points use is not called by others');
$ref = $wires->sql(1, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');
$wires->sql(1, "SELECT ledger.wait_final('$ref', '$wait')");
refused($wires, 1, "SELECT * FROM ledger.outcome('$ref')", qr/row \Q$ref\E is no call/, 'another row has no outcome');

is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');

# State as it was after a block.
sub height { return $wires->sql(1, 'SELECT height FROM ledger_internal.applied') }
sub balances { return $wires->sql(1, "SELECT * FROM $_[0] ORDER BY account") }
sub notes { return $wires->sql(1, "SELECT * FROM $_[0] ORDER BY account, number") }
sub images { return $wires->sql(1, "SELECT count(*) FROM ledger_internal.state_image WHERE height = $_[0]") }
{
	my %then;

	foreach my $call (q{open('dave')}, q{deposit('dave', 100)}, q{annotate('dave', 'first')}, q{pay('dave', 'bob', 99)},
		q{annotate('dave', repeat('second ', 10000))}, q{close_empty()}, q{open('dave', 'USD')}, q{deposit('dave', 7)})
	{
		is(outcome($call), 'done|', 'done: ' . substr($call, 0, 40));
		$then{ height() } = [ balances('account.balance'), notes('account.note') ];
	}
	foreach my $height (sort { $a <=> $b } keys %then)
	{
		is(balances("ledger.as_of(NULL::account.balance, $height)"), $then{$height}[0], "accounts as of block $height");
		is(notes("ledger.as_of(NULL::account.note, $height)"), $then{$height}[1], "and notes");
	}
	my ($first) = sort { $a <=> $b } keys %then;

	is(balances("ledger.as_of(NULL::account.balance, $first - 1)"), $then{$first}[0] =~ s/^dave.*\n?//mr =~ s/\n\z//r, 'and of the block before');
	is($wires->sql(1, 'SELECT count(*) FROM ledger.as_of(NULL::account.balance, 0)'), '0', 'in the beginning there is nothing');
	is($wires->sql(1, "SELECT DISTINCT pg_typeof(account), pg_typeof(owner), pg_typeof(amount) FROM ledger.as_of(NULL::account.balance, $first)"), 'character varying|bigint|bigint', 'rows have the types of the table');
}
# Of a row that a block changes several times there is one image, of a call that fails none.
{
	my $before = balances('account.balance');
	my ($ref) = sort split /\n/, $wires->sql(1, q{SELECT account.deposit('dave', n) FROM generate_series(101, 110) AS n});
	my $height = $wires->sql(1, "SELECT height FROM ledger.outcome('$ref', '$wait')");

	is($wires->sql(1, "SELECT count(*) FROM ledger.call_outcome WHERE height = $height"), '10', 'ten calls in a block');
	is(images($height), '1', 'which change one row');
	is(balances("ledger.as_of(NULL::account.balance, $height - 1)"), $before, 'which is shown as it was before the block');
	foreach my $account ('rich', 'richer')
	{
		outcome("open('$account')");
		is(outcome("deposit('$account', 9223372036854775807)"), 'done|', "an account with very much: $account");
	}
	$before = balances('account.balance');
	$ref = $wires->sql(1, q{SELECT account.pay('rich', 'richer', 9000000000000000000)});
	is($wires->sql(1, "SELECT state, sqlstate FROM ledger.outcome('$ref', '$wait')"), 'failed|22003', 'a call that fails when it has changed a row');
	is(images($wires->sql(1, "SELECT height FROM ledger.outcome('$ref')")), '0', 'has left no image');
	is(balances('ledger.as_of(NULL::account.balance, ' . height() . ')'), $before, 'and changed nothing');
}
refused($wires, 1, 'SELECT * FROM ledger.as_of(NULL::account.balance, ' . (height() + 1000) . ')', qr/ERROR:  block \d+ is not applied here.*\n.*DETAIL:.*last block that this member has applied/, 'a block that is not there yet');
refused($wires, 1, 'SELECT * FROM ledger.as_of(NULL::account.balance, -1)', qr/ERROR:  what "balance" was after block -1 is not kept/, 'and none');
refused($wires, 1, 'SELECT * FROM ledger.as_of(NULL::account.balance, NULL)', qr/ERROR:  the height of a block is NULL/, 'no block');
refused($wires, 1, "SELECT * FROM ledger.as_of($_, 1)", qr/ERROR:  .* is no row of a state table.*\n.*HINT:/, "of $_ nothing is kept") foreach ('NULL::cdr', 'NULL::pg_class', '1');
deploy($wires, 1, 'hidden', 'CREATE TABLE secret (k integer PRIMARY KEY) USING ledger_state');
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'hidden'}, 'deployed'), 'a contract that gives its table to nobody');
refused($wires, 1, 'SET ROLE other; SELECT * FROM ledger.as_of(NULL::hidden.secret, 1)', qr/permission denied for table secret/, 'who may not read the table is not shown what it was');
# A script is tried with the rights of contracts: nothing that a session has made for itself is run so.
$wires->sql(1, 'CREATE ROLE curious IN ROLE ledger_reader');
refused($wires, 1, q{SET ROLE curious; CREATE FUNCTION pg_temp.look(integer) RETURNS boolean LANGUAGE plpgsql AS
	'BEGIN RAISE EXCEPTION ''% rows seen by %'', (SELECT count(*) FROM hidden.secret), current_user; END'; CREATE DOMAIN pg_temp.d AS integer CHECK (pg_temp.look(VALUE));
	SELECT * FROM ledger.check_contract('CREATE TABLE t (k integer) USING ledger; CREATE VIEW v AS SELECT ''{1}''::d[] AS a')},
	qr/ERROR:  a contract is not tried in a session that has temporary objects.*\n.*DETAIL:.*\n.*HINT:.*DISCARD TEMP/, 'no contract is tried beside temporary types');
refused($wires, 1, q{SET ROLE curious; CREATE FUNCTION pg_temp.look(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''seen by %'', current_user; END';
	CREATE FUNCTION pg_temp.plant() RETURNS text LANGUAGE plpgsql AS 'BEGIN
		CREATE DOMAIN pg_temp.d AS integer CHECK (pg_temp.look(VALUE));
		RETURN ''CREATE TABLE t (k integer) USING ledger; CREATE VIEW v AS SELECT ''''{1}''''::d[] AS a'';
	END';
	SELECT c.* FROM (SELECT pg_temp.plant() AS source OFFSET 0) AS planted, LATERAL ledger.check_contract(source) AS c}, qr/has temporary objects/, 'nor types that the same statement has made');
refused($wires, 1, q{SET ROLE curious; CREATE TEMP TABLE mine (); SELECT * FROM ledger.check_contract('CREATE TABLE t (k integer) USING ledger')}, qr/has temporary objects/, 'nor tables');
is($wires->sql(1, q{SET ROLE curious; CREATE TEMP TABLE mine (); DISCARD TEMP; SELECT count(*) FROM ledger.check_contract('CREATE TABLE t (k integer) USING ledger')}), '0', 'where they are gone it is');
{
	my $old = height();
	my $before = balances('account.balance');

	is(outcome(q{deposit('dave', 100)}), 'done|', 'a change');
	my $kept = height();

	is(balances("ledger.as_of(NULL::account.balance, $old)"), $before, 'of which the time before is kept');
	$before = balances('account.balance');
	$wires->sql(1, 'ALTER SYSTEM SET telco_ledger.keep_state = 0');
	$wires->sql(1, 'SELECT pg_reload_conf()');
	ok($wires->poll(1, 'SELECT count(*) = 0 FROM ledger_internal.state_image'), 'until nothing is to be kept');
	refused($wires, 1, "SELECT * FROM ledger.as_of(NULL::account.balance, $old)", qr/ERROR:  what "balance" was after block $old is not kept any more.*\n.*DETAIL:.*from block $kept on.*\n.*HINT:.*keep_state/, 'then it is not any more');
	is(balances("ledger.as_of(NULL::account.balance, $kept)"), $before, 'the last change is shown');
	is(outcome(q{deposit('dave', 100)}), 'done|', 'a change of which nothing is kept');
	is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.state_image'), '0', 'makes no image');
	refused($wires, 1, "SELECT * FROM ledger.as_of(NULL::account.balance, $kept)", qr/is not kept any more/, 'and what was before is not known');
	$before = balances('account.balance');
	$kept = height();
	is(balances("ledger.as_of(NULL::account.balance, $kept)"), $before, 'what is now is');
	$wires->sql(1, 'ALTER SYSTEM RESET telco_ledger.keep_state');
	$wires->sql(1, 'SELECT pg_reload_conf()');
	is(outcome(q{deposit('dave', 100)}), 'done|', 'and from the next change on');
	is(balances("ledger.as_of(NULL::account.balance, $kept)"), $before, 'it is known again');
}

# One state table, against its rows.
is($wires->sql(1, "SELECT * FROM ledger.verify('account.balance', '$_')"), '', "a state table is verified: $_") foreach ('incremental', 'full');
is($wires->sql(1, q{SELECT mode, verdict FROM ledger.verification WHERE relation = 'account.balance'::regclass ORDER BY id DESC LIMIT 1}), 'full|clean', 'which is recorded');
{
	my $as = q{UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = '%s') WHERE oid = 'account.balance'::regclass};
	my $by_force = sub { $wires->sql(1, sprintf("SET allow_system_table_mods = on; BEGIN; $as; $_[0]; $as; COMMIT", 'heap', 'ledger_state')) };
	my $verdict = sub { $wires->sql(1, q{SELECT kind, relation FROM ledger.verify('account.balance')}) };

	foreach my $change (
		[ q{UPDATE account.balance SET amount = amount + 1 WHERE account = 'bob'}, q{UPDATE account.balance SET amount = amount - 1 WHERE account = 'bob'} ],
		[ q{INSERT INTO account.balance VALUES ('mallory', 1, 'EUR', 1)}, q{DELETE FROM account.balance WHERE account = 'mallory'} ],
		[ q{CREATE TABLE gone AS SELECT * FROM account.balance WHERE account = 'bob'; DELETE FROM account.balance WHERE account = 'bob'}, q{INSERT INTO account.balance TABLE gone; DROP TABLE gone} ]
	  )
	{
		$by_force->($change->[0]);
		is($verdict->(), 'state_changed|account.balance', "named: $change->[0]");
		is($wires->sql(1, q{SELECT * FROM ledger.verify('account.note')}), '', 'another table is as it was');
		$by_force->($change->[1]);
		is($verdict->(), '', 'nothing when it is as it was');
	}
	$wires->sql(1, 'CREATE TABLE kept AS TABLE ledger_internal.state; UPDATE ledger_internal.state SET state_root = sha256(state_root) WHERE height = (SELECT max(height) FROM ledger_internal.state)');
	like($verdict->(), qr/^state_changed\|$/m, 'named: the root over all tables');
	$wires->sql(1, 'TRUNCATE ledger_internal.state; INSERT INTO ledger_internal.state TABLE kept; DROP TABLE kept');
	is($verdict->(), '', 'nothing when it is as it was');
}
refused($wires, 1, q{SELECT * FROM ledger.verify('plain')}, qr/"plain" is not a ledger table/, 'a plain table cannot be');

# The contract of the README: a row that is made or changed by the same call.
deploy($wires, 1, 'meter', slurp_file("$FindBin::RealBin/../contracts/meter.sql"));
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'meter'}, 'deployed'), 'another contract is deployed');
foreach my $case (@meter_calls)
{
	my ($call, $sqlstate, $message) = @$case;
	my $ref = $wires->sql(1, "SELECT meter.$call");

	is($wires->sql(1, "SELECT state || coalesce(': ' || message, '') FROM ledger.outcome('$ref', '$wait')"), $sqlstate eq '' ? 'done' : "refused: $message", $call);
}
is($wires->sql(1, 'SELECT * FROM meter.reading ORDER BY meter'), "M-1|1|6\nM-2|1|3", 'each meter has been counted up');
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and its state is known');

# What functions say of values that they are given ends the call, and no more.
deploy($wires, 1, 'values', slurp_file("$FindBin::RealBin/../contracts/values.sql"));
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'values'}, 'deployed'), 'a contract whose functions are given values');
is($wires->sql(1, q{SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '"values".code_call'::regclass AND attnum IN (1, 2)}), "letters|bpchar\nflags|\"bit\"", 'columns of calls have no length of their own');
foreach my $case (@value_calls)
{
	my ($call, $sqlstate, $message) = @$case;
	my $ref = $wires->sql(1, qq{SELECT "values".$call});

	like($wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$ref', '$wait')"),
		$sqlstate eq '' ? qr/^done/ : qr/^failed\|($sqlstate)\|.*\Q$message\E/, substr($call, 0, 40) . ($sqlstate eq '' ? ' is done' : ' fails'));
}

# A stack that is smaller than usual is this server's.  The worker that deployed
# the contract has the pattern at hand.
$wires->sql(1, q{ALTER SYSTEM SET max_stack_depth = '100kB'});
$wires->sql(1, 'SELECT pg_reload_conf()');
{
	my $worker = $wires->sql(1, 'SELECT worker_pid FROM ledger.status');

	$wires->sql(1, "SELECT pg_terminate_backend($worker)");
	ok($wires->poll(1, "SELECT worker_pid <> $worker FROM ledger.status"), 'a new worker begins');
	my $ref = $wires->sql(1, 'SELECT "values".long()');

	ok($node->wait_for_log(qr/ERROR:  invalid regular expression: regular expression is too complex/), 'a pattern for which a small stack has no room is an error of this server');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '0')"), 'waiting', 'and no outcome');
	$wires->sql(1, 'ALTER SYSTEM RESET max_stack_depth');
	$wires->sql(1, 'SELECT pg_reload_conf()');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'with the usual one the call is done');
}

# Timers: one that has run, one that waits.
deploy($wires, 1, 'timer', slurp_file("$FindBin::RealBin/../contracts/timer.sql"));
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'timer'}, 'deployed'), 'a contract that has timers');
$wires->sql(1, "SELECT timer.make('$_', '$_')") foreach ('1 s', '1000 s');
ok($wires->poll(1, q{SELECT string_agg(state, ' ' ORDER BY until) FROM timer.offer}, 'over open'), 'which run on a ledger of one member too');

# The calls of a block tell so many events and no more; its timers run all the same.
{
	my $refs = join(',', map { "'$_'" } split /\n/, $wires->sql(1, q{SELECT timer.set('full', '2000-01-01 00:00+00') UNION ALL SELECT timer.tell('x', '{}', 1000) FROM generate_series(1, 101)}));

	$wires->sql(1, "SELECT count(*) FROM unnest(ARRAY[$refs]::ledger.ref[]) AS r, ledger.outcome(r, '$wait')");
	is($wires->sql(1, "SELECT state, count(*), count(DISTINCT height) FROM ledger.call_outcome WHERE ref IN ($refs) GROUP BY state ORDER BY state"), "done|101|1\nfailed|1|1", 'a hundred thousand in a block');
	is($wires->sql(1, "SELECT sqlstate, message FROM ledger.call_outcome WHERE ref IN ($refs) AND state = 'failed'"), '54000|the calls of a block tell at most 100000 events', 'the next one fails');
	is($wires->sql(1, "SELECT t.state FROM ledger.timer_outcome AS t JOIN ledger.event AS e USING (ref) WHERE t.key = 'full' AND t.height = (SELECT max(height) FROM ledger.call_outcome WHERE ref IN ($refs))"), 'done', 'a timer runs in that block, and tells one more');
}

# Its timers tell so many, and those that are due beyond wait for the next one.
{
	deploy($wires, 1, 'shouts', <<'END');
CREATE FUNCTION shout(timer ledger.timer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 1000 LOOP PERFORM ledger.emit('x', '{}'); END LOOP;
END $$;
CREATE FUNCTION later(context ledger.context, number integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. number LOOP PERFORM ledger.set_timer('shout', i::text, '2000-01-01 00:00+00'); END LOOP;
END $$;
END
	ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'shouts'}, 'deployed'), 'a contract whose timers tell much');
	my $ref = $wires->sql(1, 'SELECT shouts.later(21)');

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'a call sets twenty-one of them');
	ok($wires->poll(1, q{SELECT count(*) = 21 FROM ledger.timer_outcome WHERE contract = 'shouts' AND state = 'done'}), 'all of them run');
	is($wires->sql(1, q{SELECT count(*) FROM ledger.timer_outcome WHERE contract = 'shouts' GROUP BY height ORDER BY height}), "20\n1", 'as many in a block as it has room for');
}

# A call sets so many and no more.
{
	my $script = 'CREATE FUNCTION h(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(true, \'\'); END;'
	  . ' CREATE FUNCTION ten(at timestamptz) RETURNS void LANGUAGE sql BEGIN ATOMIC' . join('', map { " SELECT ledger.set_timer('h', '$_', ten.at);" } (1 .. 10)) . ' END;'
	  . ' CREATE FUNCTION all_of(context ledger.context, at timestamptz) RETURNS void LANGUAGE sql BEGIN ATOMIC' . ' SELECT ten(all_of.at);' x 100 . ' END;'
	  . ' CREATE FUNCTION more(context ledger.context, at timestamptz) RETURNS void LANGUAGE sql BEGIN ATOMIC' . ' SELECT ten(more.at);' x 100 . " SELECT ledger.cancel_timer('h', '1'); END;"
	  . join('', map { " CREATE FUNCTION deep_$_(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.emit('deep', '" . '[' x $_ . ']' x $_ . "'); END;" } (64, 65));
	deploy($wires, 1, 'many', $script);
	ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'many'}, 'deployed'), 'a contract that sets many');
	my @refs = map { $wires->sql(1, "SELECT many.$_") } (q{all_of('2999-01-01')}, q{more('2998-01-01')});

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$refs[0]', '$wait')"), 'done', 'a thousand in a call');
	like($wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$refs[1]', '$wait')"), qr/^failed\|54000\|a call sets or cancels at most 1000 timers/, 'one more is an error');
	@refs = map { $wires->sql(1, "SELECT many.deep_$_()") } (64, 65);
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$refs[0]', '$wait')"), 'done', 'an event with as much depth as rows may have');
	like($wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$refs[1]', '$wait')"), qr/^failed\|54000\|payload of an event is nested more than 64 times/, 'with more it is an error');
	is($wires->sql(1, 'SELECT count(*), min(at) = max(at), min(at) = \'2999-01-01\' FROM many.h_timer'), '10|t|t', 'of which nothing is left');
}

# A statement that only computes may give more values than a function has arguments.
{
	my $script = 'CREATE FUNCTION wide(context ledger.context, n bigint) RETURNS void LANGUAGE sql BEGIN ATOMIC'
	  . ' SELECT ' . join(', ', map { "wide.n + $_" } (1 .. 150)) . '; SELECT ledger.require(wide.n > 0, \'above zero\'); END;';

	deploy($wires, 1, 'wide', $script);
	ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'wide'}, 'deployed'), 'a contract that selects 150 values');
	my @refs = map { $wires->sql(1, "SELECT wide.wide($_)") } (1, 0, 9223372036854775807 - 149);

	is($wires->sql(1, "SELECT state, message FROM ledger.outcome('$refs[0]', '$wait')"), 'done|', 'is called');
	is($wires->sql(1, "SELECT state, message FROM ledger.outcome('$refs[1]', '$wait')"), 'refused|above zero', 'what follows runs too');
	is($wires->sql(1, "SELECT state, message FROM ledger.outcome('$refs[2]', '$wait')"), 'failed|bigint out of range', 'and the last of the values is computed');
	ok(!$node->log_contains(qr/was terminated by signal/), 'with no server process gone');
}

# Who waits for a block that does not come is told nothing, and waits as long as he has said.
is($wires->sql(1, q{SELECT ledger_internal.wait_applied(999999, '10 ms') IS NULL}), 'f', 'a short wait is over');
refused($wires, 1, "SET statement_timeout = '300 ms'; SELECT ledger_internal.wait_applied(999999, '$_')", qr/ERROR:  canceling statement due to statement timeout/, "a long one is cancelled: $_") foreach ('1 hour', '71582789 months', '178000000 years');

# Arguments may be called as they like, and a caller's session have what it likes.
{
	my $script = 'CREATE TABLE noted (strict integer PRIMARY KEY, body text) USING ledger_state;'
	  . ' CREATE FUNCTION note(context ledger.context, strict integer, "into" text, found text, call_ref text, "Mixed case" text, "a\b" text, new text, excluded text, note text DEFAULT \'i\', named text DEFAULT \'j\') RETURNS void LANGUAGE sql'
	  . ' BEGIN ATOMIC INSERT INTO noted (strict, body) VALUES ($2, $3 || $4 || $5 || $6 || $7 || $8 || $9 || $10 || $11); END;';
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	my @calls = (q{note(1, 'a', 'b', 'c', 'd', 'e', 'f', 'g')}, q{note(named => 'z', note => 'y', excluded => 'g', new => 'f', "a\b" => 'e', "Mixed case" => 'd', call_ref => 'c', found => 'b', "into" => 'a', strict => 2)}, q{note(3, 'a', 'b', 'c', 'd', 'e', 'f', 'g', named => 'z')});

	deploy($wires, 1, 'named', $script);
	ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'named'}, 'deployed'), 'a contract with arguments that are words of PL/pgSQL');
	$wires->sql(1, 'CREATE SCHEMA odd; CREATE TABLE odd.note_call (strict integer); CREATE FUNCTION odd.no(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE \'not this one\'; END $$;'
		. ' CREATE OPERATOR odd.|| (FUNCTION = odd.no, LEFTARG = text, RIGHTARG = text); GRANT USAGE ON SCHEMA odd TO PUBLIC');
	$session->query_safe(q{SET plpgsql.variable_conflict = error; SET plpgsql.extra_errors = 'all'; SET search_path = odd, named, pg_catalog; SET ROLE app});
	my @refs = map { $session->query_safe("SELECT named.$_") } @calls;
	deploy($wires, 1, 'named', $script =~ s/.*?; CREATE/CREATE OR REPLACE/r =~ s/'i'/'k'/r);
	ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'named' AND version = 2}, 'deployed'), 'and a version with another default');
	push @refs, $session->query_safe(q{SELECT named.note(4, 'a', 'b', 'c', 'd', 'e', 'f', 'g')});
	$session->quit;
	is($wires->sql(1, "SELECT state, message FROM ledger.outcome('$_', '$wait')"), 'done|', 'a call of it') foreach (@refs);
	is($wires->sql(1, 'SELECT * FROM named.noted ORDER BY strict'), "1|abcdefgij\n2|abcdefgyz\n3|abcdefgiz\n4|abcdefgkj", 'each argument is where it belongs');
}

# A call changes so many rows, in one statement or in several, whatever its plan.
deploy($wires, 1, 'heavy', slurp_file("$FindBin::RealBin/../contracts/heavy.sql"));
ok($wires->poll(1, q{SELECT state FROM ledger.contract WHERE name = 'heavy'}, 'deployed'), 'a contract whose calls need much');
{
	my ($fill, $first, $second, $more, $long, $short) = map { $wires->sql(1, "SELECT heavy.$_") } ('fill(317)', 'multiply(317)', 'multiply(2536)', 'multiply(20288)', q{write_down(17, repeat('x', 1048576))}, q{write_down(3, repeat('x', 1048576))});

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$_', '$wait')"), 'done', 'some rows') foreach ($fill, $first, $second);
	like($wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$more', '$wait')"), qr/^failed\|54000\|the call changes state more than 100000 times/, 'not 142016 more');
	is($wires->sql(1, 'SELECT count(*) FROM heavy.pile'), '20288', 'of which nothing is left');
	like($wires->sql(1, "SELECT state, sqlstate, message FROM ledger.outcome('$long', '$wait')"), qr/^failed\|54000\|the call writes more than 67108864 bytes of state/, 'nor 17 rows of 4 MB');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$short', '$wait')"), 'done', 'three of them can be written');
}

# A dump brings back tables, functions, rows and outcomes.
command_ok([ 'pg_dump', '-f', $node->basedir . '/dump.sql', '-d', $node->connstr('postgres') ], 'it can be dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $node->basedir . '/dump.sql' ], 'and restored');
is($node->safe_psql('restored', $_), $wires->sql(1, $_), "the same there: $_")
  foreach ('SELECT * FROM account.balance ORDER BY account', 'SELECT * FROM ledger.call_outcome ORDER BY ref', 'SELECT * FROM account.total ORDER BY asset', 'SELECT * FROM timer.expire_timer', 'SELECT * FROM ledger.timer_outcome', q{SELECT count(*), sha256(convert_to(string_agg(e::text, '' ORDER BY height, number), 'UTF8')) FROM ledger.event AS e},
	'SELECT relation, table_id FROM ledger_internal.state_table ORDER BY 2', q{SELECT proname, pg_get_function_arguments(oid), coalesce(pg_get_function_sqlbody(oid), prosrc) FROM pg_proc WHERE pronamespace = 'account'::regnamespace ORDER BY 1, 2});

# A test ledger can be ended, with what its contracts have made.
$wires->sql(1, 'SELECT ledger.dispose()');
is($wires->sql(1, q{SELECT to_regnamespace('account') IS NULL, (SELECT count(*) FROM ledger_internal.call_outcome), (SELECT count(*) FROM ledger_internal.timer_run), (SELECT count(*) FROM ledger_internal.event), (SELECT count(*) FROM ledger_internal.state_image)}), 't|0|0|0|0', 'nothing is left when the ledger is ended');

done_testing();
