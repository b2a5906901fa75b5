# New versions of a contract, on a ledger of one member: what one does, what is
# refused, what fails and leaves nothing; dumps, and what a member has of its own.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerWire;

$ENV{PGOPTIONS} = '-c jit=off';
my $wires = LedgerWire->new(1, ordered => 1);
my $node = $wires->node(1);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my ($first, $second) = map { slurp_file("$FindBin::RealBin/../contracts/$_.sql") } ('shelf', 'shelf_2');

$wires->announce(1);

sub in_state
{
	my ($motion, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($wires->poll(1, "SELECT state || coalesce(': ' || reason, '') FROM ledger.contract WHERE motion = '$motion'", $expected), $name)
	  || diag($wires->sql(1, 'SELECT name, version, state, reason, approved_by, needed FROM ledger.contract'));
}

sub outcome
{
	my ($call) = @_;
	my $ref = $wires->sql(1, "SELECT shelf.$call");

	return $wires->sql(1, "SELECT state || coalesce(': ' || message, '') FROM ledger.outcome('$ref', '$wait')");
}

in_state(deploy($wires, 1, 'shelf', $first), 'deployed', 'a contract is deployed');
is(outcome($_), 'done', $_) foreach (q{put('apple')}, q{put('pear', 200)}, q{keep(1, 'one')}, q{wait('apple', '2999-01-01')}, q{wait('pear', '2999-01-01')}, 'raise(1)');
$wires->sql(1, q{INSERT INTO shelf.offer VALUES ('apple', 7)});
ok($wires->poll(1, q{SELECT price FROM shelf.item WHERE name = 'apple'}, '7'), 'and used');

# What ledger.check_contract(source, name) says of a script, on what is there.
sub check
{
	my ($script) = @_;

	return $wires->sql(1, "SELECT construct || ': ' || why || ' -> ' || replacement FROM ledger.check_contract(\$source\$$script\$source\$, 'shelf')");
}

is(check($second), '', 'nothing is refused of its second version');
is($wires->sql(1, q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'shelf.item'::regclass AND attnum > 0}), 'name owner note price sold', 'and nothing is left of the trial');
my $sell = 'CREATE FUNCTION sell(context ledger.context) RETURNS void LANGUAGE';
my @refused = (
	# tables
	[ 'ALTER TABLE offer ADD COLUMN a integer', qr/^ALTER TABLE offer: its rows are on the ledger/ ],
	[ 'ALTER TABLE put_call ADD COLUMN a integer', qr/^ALTER TABLE put_call: its rows are on the ledger/ ],
	[ 'ALTER TABLE expire_timer ADD COLUMN a integer', qr/^ALTER TABLE expire_timer: it goes with the handler/ ],
	[ 'ALTER TABLE nothing ADD COLUMN a integer', qr/^nothing: the contract has no table of that name/ ],
	[ 'ALTER TABLE pg_class ADD COLUMN a integer', qr/^pg_class: the contract has no table of that name/ ],
	[ 'ALTER TABLE other.item ADD COLUMN a integer', qr/^other: a contract's objects lie in the schema/ ],
	[ 'ALTER TABLE IF EXISTS item ADD COLUMN a integer', qr/^IF EXISTS/ ],
	[ 'ALTER TABLE ONLY item ADD COLUMN a integer', qr/^ONLY/ ],
	[ 'ALTER TABLE item ADD COLUMN IF NOT EXISTS a integer', qr/^IF NOT EXISTS/ ],
	[ 'ALTER TABLE item ADD COLUMN a float8', qr/^double precision: sums of it depend/ ],
	[ 'ALTER TABLE item ADD COLUMN a serial', qr/^serial: each member has a sequence/ ],
	[ 'ALTER TABLE item ADD COLUMN a timestamptz DEFAULT now()', qr/^DEFAULT/ ],
	[ 'ALTER TABLE item ADD COLUMN a integer NOT NULL', qr/^statement: column "a" of relation "item" contains null values/ ],
	[ 'ALTER TABLE item ADD COLUMN a integer GENERATED ALWAYS AS (1) STORED', qr/^GENERATED/ ],
	[ 'ALTER TABLE item ADD COLUMN a text UNIQUE', qr/^key or INDEX on a: a row with a long value/ ],
	[ 'ALTER TABLE item ADD COLUMN a integer REFERENCES mark ON DELETE CASCADE', qr/^CASCADE: which of several foreign keys/ ],
	[ 'ALTER TABLE item ADD COLUMN name integer', qr/^statement: column "name" of relation "item" already exists/ ],
	[ 'ALTER TABLE item ADD CONSTRAINT c CHECK (price > 10)', qr/^statement: check constraint "c" of relation "item" is violated by some row/ ],
	[ 'ALTER TABLE item ADD CONSTRAINT c CHECK (price > 5) NOT VALID', qr/^NOT VALID/ ],
	[ 'ALTER TABLE item ADD CONSTRAINT c UNIQUE (owner)', qr/^statement: could not create unique index "c"/ ],
	[ 'ALTER TABLE item ADD CONSTRAINT c UNIQUE USING INDEX item_by_owner', qr/^USING INDEX/ ],
	[ 'ALTER TABLE item ADD CONSTRAINT c FOREIGN KEY (name) REFERENCES expire_timer', qr/^FOREIGN KEY to timers/ ],
	[ 'ALTER TABLE item ADD CONSTRAINT c CHECK (price > random())', qr/^CHECK/ ],
	[ 'ALTER TABLE item DROP CONSTRAINT item_pkey', qr/^CREATE TABLE ... USING ledger_state: each row of it has to be the only one/ ],
	[ 'ALTER TABLE item DROP COLUMN name', qr/^statement: cannot drop column name of table item because other objects depend on it/ ],
	[ 'ALTER TABLE item DROP COLUMN note CASCADE', qr/^CASCADE: the source has to say all/ ],
	[ 'ALTER TABLE item DROP COLUMN IF EXISTS note', qr/^IF EXISTS/ ],
	[ 'ALTER TABLE item DROP COLUMN note', qr/^statement: cannot drop column note of table item because other objects depend on it/ ],
	[ 'ALTER TABLE item ALTER COLUMN price TYPE numeric', qr/^ALTER TABLE: columns and constraints of state tables come and go/ ],
	[ 'ALTER TABLE item ALTER COLUMN price SET DEFAULT random()', qr/^DEFAULT/ ],
	[ 'ALTER TABLE item ALTER COLUMN sold SET NOT NULL', qr/^statement: column "sold" of relation "item" contains null values/ ],
	[ 'ALTER TABLE item DISABLE TRIGGER ALL', qr/^ALTER TABLE: columns and constraints/ ],
	[ 'ALTER TABLE item SET ACCESS METHOD heap', qr/^ALTER TABLE: columns and constraints/ ],
	[ 'ALTER TABLE item RENAME TO thing', qr/^RENAME/ ],
	[ 'ALTER TABLE item RENAME COLUMN note TO remark', qr/^RENAME/ ],
	[ 'ALTER TABLE item OWNER TO postgres', qr/^ALTER TABLE: columns and constraints/ ],
	[ 'ALTER VIEW dear SET (security_barrier)', qr/^ALTER: what is there is used/ ],
	[ 'DROP TABLE offer', qr/^DROP TABLE offer: its rows are on the ledger/ ],
	[ 'DROP TABLE keep_call', qr/^DROP TABLE keep_call: its rows are on the ledger/ ],
	[ 'DROP TABLE expire_timer', qr/^DROP TABLE expire_timer: it goes with the handler/ ],
	[ 'DROP TABLE mark', qr/^statement: cannot drop table mark because other objects depend on it/ ],
	[ 'DROP TABLE mark CASCADE', qr/^CASCADE/ ],
	[ 'DROP TABLE IF EXISTS mark', qr/^IF EXISTS/ ],
	[ 'DROP TABLE public.mark', qr/^public: a contract's objects/ ],
	[ 'DROP INDEX item_by_owner', qr/^DROP: a member drops the indexes/ ],
	[ 'COMMENT ON INDEX item_by_owner IS \'x\'', qr/^COMMENT ON INDEX: a member may have dropped it/ ],
	[ 'CREATE INDEX item_by_owner ON item (price)', qr/^statement: relation "item_by_owner" already exists/ ],
	[ 'CREATE TRIGGER t BEFORE INSERT ON offer FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature(\'a\', \'b\', \'c\', \'bip340\')', qr/^statement: column "a" that trigger "t" names is not in table "offer"/ ],
	[ 'CREATE TRIGGER t BEFORE INSERT ON review FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature(\'key\', \'signature\', \'name, body\', \'bip340\')', qr/^TRIGGER on a table that is there: rows of it may be on their way/ ],
	# views and functions
	[ 'DROP VIEW nothing', qr/^nothing: the contract has no view/ ],
	[ 'DROP VIEW pg_tables', qr/^pg_tables: the contract has no view/ ],
	[ 'DROP VIEW item', qr/^statement: "item" is not a view/ ],
	[ 'CREATE OR REPLACE VIEW dear AS SELECT i.price FROM item AS i', qr/^statement: cannot drop columns from view/ ],
	[ 'CREATE OR REPLACE VIEW dear AS SELECT i.name, i.price FROM pg_class AS c, item AS i', qr/^pg_class: a contract reads its own tables/ ],
	[ 'DROP FUNCTION nothing', qr/^nothing: the contract has no function/ ],
	[ 'DROP FUNCTION take(varchar)', qr/^arguments of DROP FUNCTION/ ],
	[ 'DROP FUNCTION take CASCADE', qr/^CASCADE/ ],
	[ 'DROP FUNCTION now', qr/^now: the contract has no function/ ],
	[ 'CREATE FUNCTION ledger_migration(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC END', qr/^ledger_migration: a statement of a new version has this name/ ],
	[ 'CREATE FUNCTION rounded(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN price', qr/^statement: function "rounded" already exists/ ],
	[ 'CREATE OR REPLACE FUNCTION rounded(price bigint) RETURNS integer LANGUAGE sql IMMUTABLE RETURN price', qr/^statement: cannot change return type/ ],
	[ 'CREATE OR REPLACE FUNCTION rounded(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN random()', qr/random/ ],
	[ 'CREATE FUNCTION take(context ledger.context, name varchar, more integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END', qr/^take: a contract has one function of a name/ ],
	[ 'DROP FUNCTION take; CREATE FUNCTION take(context ledger.context, number integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END', qr/^take: a contract has one function of a name/ ],
	[ 'CREATE OR REPLACE FUNCTION put(context ledger.context, name varchar, price bigint) RETURNS void LANGUAGE sql BEGIN ATOMIC END', qr/^statement: cannot remove parameter defaults/ ],
	[ 'CREATE OR REPLACE FUNCTION put(context ledger.context, n varchar, price bigint DEFAULT 1) RETURNS void LANGUAGE sql BEGIN ATOMIC END', qr/^statement: cannot change name of input parameter/ ],
	[ 'CREATE FUNCTION a() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN rounded(5); CREATE OR REPLACE FUNCTION rounded(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN a()', qr/with a call that leads back to it: it may have no end/ ],
	[ "CREATE FUNCTION a() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM b(); END \$\$; CREATE FUNCTION b() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM a(); END \$\$", qr/b\(\) does not exist/ ],
	[ "CREATE FUNCTION b() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN NULL; END \$\$; CREATE FUNCTION a() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM b(); END \$\$; CREATE OR REPLACE FUNCTION b() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM a(); END \$\$", qr/leads back to it/ ],
	[ "CREATE FUNCTION a() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN rounded(5); CREATE OR REPLACE FUNCTION rounded(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN a(); SELECT ledger.require(a() > 0, 'x'); SELECT ledger.require(false, 'y')", qr/\AFUNCTION rounded with a call that leads back to it: it may have no end -> a loop\z/ ],
	[ "CREATE FUNCTION b() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN NULL; END \$\$; CREATE FUNCTION a() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM b(); END \$\$; SELECT b(); CREATE OR REPLACE FUNCTION b() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM a(); END \$\$; SELECT b()", qr/\AFUNCTION b with a call that leads back to it: it may have no end -> a loop\z/ ],
	[ "CREATE FUNCTION a() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN rounded(5); CREATE OR REPLACE FUNCTION rounded(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN a(); UPDATE item SET price = rounded(price)", qr/\AFUNCTION rounded with a call that leads back to it: it may have no end -> a loop\z/ ],
	[ "CREATE FUNCTION a() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN rounded(5); CREATE OR REPLACE FUNCTION rounded(price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN a(); ALTER TABLE item ADD CONSTRAINT c CHECK (rounded(price) >= 0)", qr/\AFUNCTION rounded with a call that leads back to it: it may have no end -> a loop\nCHECK with rounded: [^\n]*\z/ ],
	# what is refused is not executed
	[ 'CREATE TABLE t (a integer PRIMARY KEY CHECK (pg_sleep(1 / (a - a)) IS NULL)) USING ledger_state; INSERT INTO t VALUES (1)', qr/\ACHECK with pg_sleep: [^\n]*\z/ ],
	[ 'CREATE TABLE t (a integer PRIMARY KEY DEFAULT pg_backend_pid() / 0) USING ledger_state; INSERT INTO t DEFAULT VALUES', qr/\ADEFAULT with pg_backend_pid: [^\n]*\z/ ],
	[ 'ALTER TABLE item ADD CONSTRAINT c CHECK (pg_sleep(1 / (price - price)) IS NULL)', qr/\ACHECK with pg_sleep: [^\n]*\z/ ],
	[ 'ALTER TABLE item ADD COLUMN a integer CHECK (a IS NULL AND pg_sleep(1 / (price - price)) IS NULL)', qr/\ACHECK with pg_sleep: [^\n]*\z/ ],
	[ 'ALTER TABLE item ADD COLUMN a double precision DEFAULT random() / 0', qr/\ADEFAULT with random: [^\n]*\z/ ],
	[ 'CREATE DOMAIN d AS integer CHECK (pg_sleep(1 / 0) IS NULL); ALTER TABLE item ADD COLUMN a d', qr/\ACHECK with pg_sleep: [^\n]*\z/ ],
	# what an old function rests on
	[ 'DROP FUNCTION keep; SELECT ledger.require(true, \'x\'); ALTER TABLE item DROP CONSTRAINT item_pkey, ADD CONSTRAINT p PRIMARY KEY (owner, price); SELECT ledger.require(true, \'x\')', qr/^FUNCTION on_offer with UPDATE of price.*^FUNCTION raise with FOR/ms ],
	[ 'DROP FUNCTION keep; CREATE TABLE more (number integer PRIMARY KEY, name varchar(20)) USING ledger_state; ALTER TABLE item DROP CONSTRAINT item_pkey, ADD CONSTRAINT p PRIMARY KEY (owner, price)', qr/^FUNCTION on_offer with UPDATE of price.*^FUNCTION raise with FOR/ms ],
	# rows
	[ 'UPDATE offer SET price = 1', qr/^statement with offer: rows of ledger tables are statements of members/ ],
	[ 'INSERT INTO offer VALUES (\'a\', 1)', qr/^statement with offer/ ],
	[ 'DELETE FROM expire_timer', qr/^statement with a change of expire_timer/ ],
	[ 'UPDATE pg_class SET relname = \'a\'', qr/pg_class/ ],
	[ 'UPDATE public.item SET price = 1', qr/^public/ ],
	[ 'UPDATE item SET name = \'a\'', qr/^statement with UPDATE of name/ ],
	[ 'UPDATE item SET price = extract(epoch FROM now())', qr/now/ ],
	[ 'UPDATE item SET price = 1 / (price - price)', qr/^statement: the rows of its state are such that it fails -> division by zero/ ],
	[ 'INSERT INTO mark SELECT 1, i.name FROM item AS i LIMIT 1', qr/^statement with LIMIT/ ],
	[ 'INSERT INTO mark VALUES (1, \'a\')', qr/^statement: the rows of its state are such that it fails -> duplicate key/ ],
	[ 'SELECT ledger.require(false, \'not now\')', qr/^refused by itself: not now/ ],
	[ 'SELECT ledger.emit(\'sold\')', qr/^statement: the rows of its state are such that it fails -> a new version of a contract tells no events/ ],
	[ 'SELECT pg_sleep(1)', qr/pg_sleep/ ],
	[ 'SELECT ledger.deploy(\'a\', \'b\')', qr/deploy/ ],
	[ 'TRUNCATE item', qr/^TRUNCATE TABLE: a contract's script makes its own objects/ ],
	[ 'MERGE INTO mark AS m USING item AS i ON m.body = i.name WHEN MATCHED THEN DELETE', qr/^MERGE: a contract's script/ ],
	[ 'WITH d AS (DELETE FROM item RETURNING name) SELECT count(*) FROM d', qr/^statement with (WITH|RETURNING)/ ],
	[ 'COPY item FROM STDIN', qr/^COPY: a contract's script/ ],
	[ 'DO $$ BEGIN END $$', qr/^DO: a contract's script/ ],
	[ 'REVOKE SELECT ON item FROM PUBLIC', qr/^REVOKE/ ],
	[ q{CREATE TYPE size AS ENUM ('s', 'm', 's')}, qr/^'s': a type has each value once/ ],
	[ '', qr/^source: it has no statement/ ]
);

foreach my $case (@refused)
{
	my ($script, $expected) = @$case;

	like(check($script), $expected, "refused: $script");
}


like($wires->sql(1, q{SELECT construct || ': ' || why FROM ledger.check_contract('CREATE FUNCTION ledger_migration() RETURNS void LANGUAGE sql BEGIN ATOMIC END')}), qr/^ledger_migration: a statement of a new version/, 'nor has a first version what would not be judged again');

# Only those who decide about contracts try one on what is there.
refused($wires, 1, q{CREATE ROLE reader; GRANT ledger_reader TO reader; SET ROLE reader; SELECT * FROM ledger.check_contract('SELECT 1', 'shelf')}, qr/permission denied for function check_contract/, 'not everybody tries a version');
refused($wires, 1, q{SELECT * FROM ledger.check_contract('SELECT 1', 'none')}, qr/contract "none" is not deployed/, 'nor one of nothing');
refused($wires, 1, q{SELECT ledger.deploy('shelf', 'DROP TABLE offer')}, qr/this script can be no new version of contract "shelf"\n.*line 1: DROP TABLE offer/s, 'what is refused is not proposed');

# Functions beside entry points are in PL/pgSQL, which their owner may use.
$wires->sql(1, 'REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC');
refused($wires, 1, "SELECT * FROM ledger.check_contract(\$source\$$sell sql BEGIN ATOMIC END\$source\$, 'shelf')", qr/ERROR:  permission denied for language plpgsql/, 'a right that is missing here is no refusal');
$wires->sql(1, 'GRANT USAGE ON LANGUAGE plpgsql TO ledger_contract');
is(check("$sell sql BEGIN ATOMIC END"), '', 'and more than that right is not needed');
$wires->sql(1, 'GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC; REVOKE USAGE ON LANGUAGE plpgsql FROM ledger_contract');

# An error of a constraint that is none of the contract's is this server's.
$wires->sql(1, $_) foreach (q{CREATE FUNCTION public.in_the_way() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE unique_violation; END $$}, 'CREATE EVENT TRIGGER in_the_way ON ddl_command_start EXECUTE FUNCTION public.in_the_way()');
refused($wires, 1, q{SELECT * FROM ledger.check_contract('DROP VIEW dear', 'shelf')}, qr/ERROR: +unique_violation/, 'what only looks like a fault of the script is none');
$wires->sql(1, $_) foreach ('DROP EVENT TRIGGER in_the_way', 'DROP FUNCTION public.in_the_way');

refused($wires, 1, $_, qr/ERROR:  index name "offer_by_name" belongs to contract "shelf"\n/, "refused: $_") foreach ('BEGIN; DROP INDEX shelf.offer_by_name; CREATE INDEX offer_by_name ON shelf.offer (price)', 'BEGIN; CREATE INDEX other ON shelf.offer (price); DROP INDEX shelf.offer_by_name; ALTER INDEX shelf.other RENAME TO offer_by_name');

# Names of the contract's indexes are held, whether these are here, are dropped with
# their tables, or were dropped by this member.
{
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	my @held = (q{DROP FUNCTION keep; DROP TABLE mark; CREATE INDEX mark_by_body ON item (price)}, q{DROP FUNCTION keep; DROP TABLE mark; CREATE INDEX offer_by_name ON offer (price)});

	like(check($_), qr/^statement: relation "\w+" already exists -> $/, "held: $_") foreach @held;
	$wires->sql(1, $_) foreach ('DROP INDEX shelf.offer_by_name', 'DROP INDEX shelf.mark_by_body', 'ANALYZE shelf.item', 'ANALYZE shelf.offer');
	like(check($_), qr/^statement: relation "\w+" already exists -> $/, "held where it was dropped: $_") foreach @held;
	$session->query_safe('BEGIN; CREATE INDEX offer_idx ON shelf.offer (price)');
	refused($wires, 1, q{SET lock_timeout = '100 ms'; SELECT * FROM ledger.check_contract('DROP VIEW dear', 'shelf')}, qr/ERROR:  canceling statement due to lock timeout/, 'and no index comes or goes meanwhile');
	$session->query_safe('ROLLBACK');
	$session->quit;
}

# What a member has of its own is in the way of nothing, or has to go.
my $heights = 'SELECT version, since_height, superseded_at, state FROM ledger.contract ORDER BY version, since_height';

$wires->sql(1, $_) foreach ('CREATE INDEX sale_by_name ON shelf.offer (price)', 'CREATE INDEX own ON shelf.item (note, price)', 'CREATE INDEX own_expression ON shelf.offer ((10 / coalesce(price, 1)))', 'CREATE VIEW marks AS SELECT * FROM shelf.mark');
refused($wires, 1, q{SELECT ledger.deploy('shelf', 'DROP FUNCTION keep; DROP TABLE mark')}, qr/drops something that is used here\n.*rule _RETURN on view public\.marks depends on table mark.*HINT: +Drop it/s, 'a view of a member keeps it from approving');

$wires->sql(1, $_) foreach ('CREATE INDEX own_call ON shelf.offer (shelf.rounded(price))', 'CREATE TABLE shelves (item shelf.item)');
refused($wires, 1, q{SELECT * FROM ledger.check_contract('DROP FUNCTION rounded', 'shelf')}, qr/drops something that is used here\n.*index shelf\.own_call depends on function rounded\(bigint\)/, 'so does an index that calls a function');
refused($wires, 1, q{SELECT * FROM ledger.check_contract('ALTER TABLE item ADD COLUMN a integer DEFAULT 1', 'shelf')}, qr/changes something that is used here\n.*column item of table public\.shelves depends on type item/, 'and a column that stores rows of a state table');
$wires->sql(1, $_) foreach ('DROP INDEX shelf.own_call', 'DROP TABLE shelves');

# What the old version was called for is ordered after the new one: here one block
# has the decision, and the calls are committed before and applied behind it.
$wires->sql(1, "SELECT ledger_internal.submit(convert_to(\$source\$$second\$source\$, 'UTF8'))");
ok($wires->poll(1, qq{SELECT EXISTS (SELECT FROM ledger_internal.ordered_chunk WHERE digest = sha256(convert_to(\$source\$$second\$source\$, 'UTF8')))}), 'the source is on the ledger');
my $motion = $wires->sql(1, qq{SELECT ledger_internal.ask_approval(ledger_internal.make_notice(format('contract shelf version 2 of %s bytes', octet_length(convert_to(\$source\$$second\$source\$, 'UTF8'))), sha256(convert_to(\$source\$$second\$source\$, 'UTF8'))))});
ok($node->wait_for_log(qr/a new version of contract "shelf" drops something that is used here/), 'where others have decided all the same its blocks wait');
my @late = map { $wires->sql(1, "SELECT shelf.$_") } (q{put('fig', 333)}, q{take('pear')}, q{keep(2)}, 'raise(1)');
is($wires->sql(1, "SELECT string_agg(state, ' ') FROM unnest('{" . join(',', @late) . "}'::ledger.ref[]) AS r, LATERAL ledger.outcome(r)"), 'waiting waiting waiting waiting', 'and calls by the old version with them');
refused($wires, 1, q{SELECT ledger.deploy('shelf', 'DROP VIEW dear')}, qr/a version of contract "shelf" is decided, and not applied here yet/, 'nor is another version proposed meanwhile');
$wires->sql(1, 'DROP VIEW marks');
in_state($motion, 'deployed', 'until that is gone');
is(join("\n", map { $wires->sql(1, "SELECT state || coalesce(': ' || message, '') FROM ledger.outcome('$_', '$wait')") } @late),
	"done\nrefused: function take is no longer there\nrefused: function keep is no longer there\ndone", 'what was called before runs by the new version, and what that does not have is refused');
is($wires->sql(1, 'SELECT name, owner, price, sold, class, seen FROM shelf.item ORDER BY name'), "apple|1|8||plain|1\nfig|1|331||dear|\npear|1|202||dear|2", 'rows are those of before, changed');
is($wires->sql(1, 'SELECT * FROM shelf.label'), '1|one', 'and those of a table that is dropped stand in another one');
is($wires->sql(1, q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'shelf.item'::regclass AND attnum > 0 AND NOT attisdropped}), 'name owner price sold class seen', 'columns have gone and come');
is($wires->sql(1, q{SELECT to_regclass('shelf.mark') IS NULL, to_regclass('shelf.keep_call') IS NULL, to_regclass('shelf.remind_timer') IS NULL, (SELECT count(*) FROM shelf.expire_timer)}), 't|f|t|2', 'timers of a handler that is dropped go, others stay, and rows of calls stay');
is($wires->sql(1, q{SELECT string_agg(pg_get_function_arguments(oid), '; ' ORDER BY oid) FROM pg_proc WHERE pronamespace = 'shelf'::regnamespace AND proname = 'put'}), q{context ledger.context, name character varying, price bigint DEFAULT 5; name character varying, price bigint DEFAULT 5}, 'callers have the new default');
refused($wires, 1, q{SELECT shelf.take('pear')}, qr/function shelf\.take\(unknown\) does not exist/, 'what is dropped is not called any more');
is($wires->sql(1, $heights =~ s/SELECT .* FROM/SELECT version, since_height < superseded_at, state FROM/r), "1|t|superseded\n2||deployed", 'both versions are shown');
is($wires->sql(1, q{SELECT count(DISTINCT source), count(DISTINCT hash), min(approved_by::text) FROM ledger.contract}), '2|2|{member1}', 'with their sources, hashes, and who approved');
is($wires->sql(1, q{SELECT string_agg(relname || ' on ' || indrelid::regclass, ', ' ORDER BY relname) FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE relnamespace = 'shelf'::regnamespace AND NOT indisunique AND relname !~ '_timer_|ledger_'}),
	'item_by_owner on shelf.item, item_price_idx on shelf.item, own_expression on shelf.offer, sale_by_name on shelf.sale, sale_by_name_own on shelf.offer', 'own indexes stay, under another name where the new version takes it, and go with their columns');
refused($wires, 1, 'ALTER INDEX shelf.sale_by_name RENAME TO other', qr/cannot change "shelf.sale_by_name"/, 'what it has made is fixed');
refused($wires, 1, 'ALTER TABLE shelf.item DROP COLUMN seen', qr/cannot change/, 'and what it has changed');
$wires->sql(1, 'DROP INDEX shelf.sale_by_name_own');
refused($wires, 1, q{UPDATE shelf.label SET body = 'x'}, qr/cannot change state table/, 'its state tables are');
$wires->sql(1, q{INSERT INTO shelf.sale VALUES ('fig', 400)});
ok($wires->poll(1, q{SELECT price FROM shelf.item WHERE name = 'fig'}, '400'), 'its ledger tables are shared, and handled');
my ($items, $height) = map { $wires->sql(1, $_) } ('SELECT * FROM shelf.item ORDER BY name', 'SELECT height FROM ledger_internal.applied');
is(outcome($_), 'done', $_) foreach (q{sell('fig')}, q{put('kiwi')}, q{wait('kiwi', '2000-01-01')});
ok($wires->poll(1, q{SELECT sold FROM shelf.item WHERE name = 'kiwi'}, '-1'), 'a timer runs by the new version');
is($wires->sql(1, "SELECT * FROM ledger.as_of(NULL::shelf.item, $height) ORDER BY name"), $items, 'its state is shown as of a block');
{
	my $since = $wires->sql(1, q{SELECT height FROM ledger_internal.contract WHERE name = 'shelf' AND version = 2 AND state = 'deployed'});

	refused($wires, 1, "SELECT * FROM ledger.as_of(NULL::shelf.item, $since - 1)", qr/ERROR:  what "item" was after block \d+ is not kept any more.*\n.*DETAIL:.*from block $since on/, 'but not from before, when its columns were others');
}
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');
is($wires->sql(1, q{SELECT verdict FROM ledger.verification ORDER BY id DESC LIMIT 1}), 'clean', 'and that was looked at');

# What fails leaves nothing, says why, and can be proposed again.
sub decide
{
	my ($version, $text) = @_;
	my $body = "convert_to(\$text\$$text\$text\$, 'UTF8')";

	$wires->sql(1, "SELECT ledger_internal.submit($body)");
	$wires->poll(1, "SELECT EXISTS (SELECT FROM ledger_internal.ordered_chunk WHERE digest = sha256($body))");
	return $wires->sql(1, "SELECT ledger_internal.ask_approval(ledger_internal.make_notice('contract shelf version $version of ' || octet_length($body) || ' bytes', sha256($body)))");
}

my $digests = 'SELECT relation, digest FROM ledger.state ORDER BY table_id';
my $before = $wires->sql(1, $digests);

in_state(decide(3, "ALTER TABLE item ADD COLUMN more integer DEFAULT 1;\nDELETE FROM item;\nDROP TABLE label;\nDELETE FROM class;\nSELECT ledger.require(false, 'in vain')"), 'failed: line 5: refused by itself: in vain', 'a version that refuses itself');
in_state(decide(3, "DELETE FROM item;\nALTER TABLE offer ADD COLUMN a integer"), 'failed: line 2: ALTER TABLE offer: its rows are on the ledger, or on their way there, as they are', 'one that no contract may have');
in_state(decide(3, "UPDATE item SET price = 1 / (price - price)"), 'failed: line 1: statement: the rows of its state are such that it fails', 'one whose rows are in the way: the same words at all members');
in_state(decide(2, 'DROP TABLE label'), "failed: it replaces version 1, and version 2 is deployed since block " . $wires->sql(1, q{SELECT since_height FROM ledger.contract WHERE version = 2 AND state = 'deployed'}), 'one that replaces an older version');
in_state(decide(4, 'DROP TABLE label'), "failed: it replaces version 3, and version 2 is deployed since block " . $wires->sql(1, q{SELECT since_height FROM ledger.contract WHERE version = 2 AND state = 'deployed'}), 'one that comes too soon');
is($wires->sql(1, $digests), $before, 'nothing has changed');
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and nothing is wrong');

# A third one, and a dump of it.
refused($wires, 1, q{SELECT ledger.deploy('shelf', 'ALTER TABLE item DROP COLUMN sold')}, qr/line 1: statement: cannot drop column sold of table item because other objects depend on it/, 'what functions use is not dropped');
in_state(deploy($wires, 1, 'shelf', <<'END'), 'deployed', 'a third version is deployed');
DROP VIEW dear;
CREATE OR REPLACE FUNCTION take(context ledger.context, name varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM item WHERE name = take.name;
END;
ALTER TABLE item DROP COLUMN seen, ADD COLUMN size integer;
UPDATE item SET size = 3 WHERE owner = 1;
INSERT INTO label VALUES (2, 'two');
END
is(outcome(q{take('apple')}), 'done', 'a function that was dropped is there again');
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');
command_ok([ 'pg_dump', '-f', $node->basedir . '/dump.sql', '-d', $node->connstr('postgres') ], 'it can be dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $node->basedir . '/dump.sql' ], 'and restored');
is($node->safe_psql('restored', $_), $wires->sql(1, $_), "the same there: $_")
  foreach ('SELECT name, owner, price, sold, class, size FROM shelf.item ORDER BY name', 'SELECT * FROM shelf.label', 'SELECT relation, table_id FROM ledger_internal.state_table ORDER BY 2', $heights,
	q{SELECT proname, pg_get_function_arguments(oid), coalesce(pg_get_function_sqlbody(oid), prosrc) FROM pg_proc WHERE pronamespace = 'shelf'::regnamespace ORDER BY 1, 2});
like(($node->psql('restored', q{SELECT shelf.put('plum')}))[2], qr/ERROR:  this database is a copy of a ledger node\n/, 'an entry point finds its table there');
is($node->safe_psql('restored', q{SELECT kind, relation FROM ledger.verify(mode => 'full') WHERE kind = 'state_changed'}), '', 'and its rows give the same state, although columns that are dropped are not in a dump');

# Handlers come and go: with a version that fails, with one that drops the last, with another one.
my $late_handler = 'CREATE FUNCTION late(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE item SET sold = -2 WHERE name = (timer).key; END;';
sub runs { my ($handler, $key, $times) = @_; return ok($wires->poll(1, "SELECT count(*) FROM ledger.timer_outcome WHERE handler = '$handler' AND key = '$key' AND state = 'done'", $times), "timer $key of $handler has run so often: $times") }

in_state(decide(4, "$late_handler\nSELECT ledger.set_timer('late', 'fig', '2000-01-01 00:00+00');\nSELECT ledger.require(false, 'in vain')"), 'failed: line 3: refused by itself: in vain', 'a version that has a new handler, and fails');
is(outcome(q{wait('fig', '2000-01-01')}), 'done', 'a timer is set for one that there is');
runs('expire', 'fig', 1);
is(outcome(q{wait('fig', '2999-01-01')}), 'done', 'and again');
in_state(deploy($wires, 1, 'shelf', 'DROP FUNCTION wait; DROP FUNCTION expire'), 'deployed', 'a version drops the last handler there is');
is(outcome(q{sell('fig')}), 'done', 'calls go on');
in_state(deploy($wires, 1, 'shelf', "$late_handler SELECT ledger.set_timer('late', 'fig', '2000-01-01 00:00+00')"), 'deployed', 'another version has one again');
runs('late', 'fig', 1);
is($wires->sql(1, q{SELECT i.sold, (SELECT count(*) FROM shelf.late_timer) FROM shelf.item AS i WHERE i.name = 'fig'}), '-2|0', 'which has changed what it changes');
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and nothing is wrong');

# What a server remembers of a contract, and what it has beside it, follow a version.
in_state(deploy($wires, 1, 'depot', <<'END'), 'deployed', 'another contract is deployed');
CREATE TABLE first (number integer PRIMARY KEY) USING ledger_state;
CREATE TABLE old (number integer PRIMARY KEY) USING ledger_state;
CREATE TABLE item (a integer PRIMARY KEY, id integer NOT NULL) USING ledger_state;
CREATE TABLE label (number integer PRIMARY KEY, amount integer) USING ledger_state;
CREATE TABLE usage (units integer) USING ledger;
CREATE TABLE tallied (number integer PRIMARY KEY, amount bigint) USING ledger_state;
CREATE FUNCTION short(units integer) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN units < 10;
CREATE FUNCTION code(units integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN units & 1;
CREATE FUNCTION tally(context ledger.context, number integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO tallied (number, amount) SELECT tally.number, count(*) FROM usage AS u WHERE u.units = 50;
END;
CREATE FUNCTION put(context ledger.context, a integer, id integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO item (a, id) VALUES (put.a, put.id);
END;
CREATE TABLE side (n integer PRIMARY KEY) USING ledger_state;
CREATE TABLE field (a integer, b integer, PRIMARY KEY (a, b)) USING ledger_state;
CREATE FUNCTION fill(context ledger.context) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..300 LOOP
        INSERT INTO side (n) VALUES (i);
    END LOOP;
END $$;
CREATE FUNCTION flood(context ledger.context) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..300 LOOP
        INSERT INTO field (a, b) SELECT i, x.n FROM side AS x;
    END LOOP;
    RAISE EXCEPTION 'too much';
END $$;
CREATE FUNCTION write(context ledger.context, n integer, units bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v label.amount%TYPE := units;
BEGIN
    INSERT INTO label (number, amount) VALUES (n, v);
END $$;
END
sub depot_outcome
{
	my ($call) = @_;
	my $ref = $wires->sql(1, "SELECT depot.$call");

	return $wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')");
}

is(depot_outcome($_), 'done', $_) foreach ('put(1, 5)', 'fill()');

# Old images are written before a call ends that changes much; those of another call
# of its block do not go with it.
{
	my ($put, $flood) = split /\n/, $wires->sql(1, 'SELECT depot.put(2, 7) UNION ALL SELECT depot.flood()');

	is($wires->sql(1, "SELECT a.state, b.state, a.height = b.height FROM ledger.outcome('$put', '$wait') AS a, ledger.outcome('$flood', '$wait') AS b"), 'done|refused|t', 'one call of a block is done, and one that changes much is refused');
	is($wires->sql(1, "SELECT i.* FROM ledger.outcome('$put') AS o, ledger.as_of(NULL::depot.item, o.height - 1) AS i"), '1|5', 'what was before the first is known');
	is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.state_image AS i JOIN ledger_internal.state_table AS t USING (table_id) WHERE t.relation = \'depot.field\'::regclass'), '0', 'and of what is refused nothing is kept');
}

# The key of a table moves, and what it was before is not asked for any more.
in_state(deploy($wires, 1, 'depot', <<'END'), 'deployed', 'a version moves a primary key between changes of rows');
UPDATE item SET id = 6 WHERE a = 1;
ALTER TABLE item DROP CONSTRAINT item_pkey, ADD CONSTRAINT item_key PRIMARY KEY (id);
ALTER TABLE item ALTER COLUMN a DROP NOT NULL;
INSERT INTO item (id) VALUES (9);
DROP TABLE old;
END
is($wires->sql(1, 'SELECT * FROM depot.item ORDER BY id'), "1|6\n2|7\n|9", 'to a column that the new rows have');
refused($wires, 1, q{SELECT ledger.deploy('depot', 'ALTER TABLE item DROP CONSTRAINT item_key, ADD COLUMN b integer')}, qr/line 1: CREATE TABLE ... USING ledger_state: each row of it has to be the only one/, 'none is no key');

# Own indexes may compute by functions of the contract: in the way of a version that
# drops these, and of no use to calls.
$wires->sql(1, $_) foreach (q{INSERT INTO depot.usage SELECT n FROM generate_series(1, 3000) AS n}, 'CREATE INDEX own_code ON depot.usage (depot.code(units))', 'CREATE INDEX own_short ON depot.usage (units) WHERE depot.short(units)', 'ANALYZE depot.usage');
refused($wires, 1, q{SELECT ledger.deploy('depot', 'DROP FUNCTION code')}, qr/drops something that is used here\n.*index depot\.own_code depends on function (depot\.)?code\(integer\)/, 'an own index keeps a member from approving');
$wires->sql(1, 'DROP INDEX depot.own_code');
is(depot_outcome(q{write(1, 5)}), 'done', 'a function in PL/pgSQL is called');
in_state(deploy($wires, 1, 'depot', <<'END'), 'deployed', 'a version changes what functions rest on');
DROP FUNCTION code;
CREATE OR REPLACE FUNCTION short(units integer) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN units < 1000;
ALTER TABLE label DROP COLUMN amount;
ALTER TABLE label ADD COLUMN amount bigint;
DROP TABLE first;
CREATE TABLE old (number integer PRIMARY KEY) USING ledger_state;
END
is(depot_outcome('tally(1)'), 'done', 'a call asks for what has an own index');
is($wires->sql(1, 'SELECT amount FROM depot.tallied'), '1', 'and finds what is there');
is(depot_outcome(q{write(2, 3000000000)}), 'done', 'and a variable has the type that the column has now');
is($wires->sql(1, q{SELECT conname FROM pg_constraint WHERE conrelid = 'depot.old'::regclass AND contype = 'p'}), 'old_pkey1', 'names that were taken once stay taken, whatever table goes');
is($wires->sql(1, q{SELECT count(*) FROM pg_class WHERE relnamespace = 'depot'::regnamespace AND relname ~ 'ledger_own'}), '0', 'and nothing stands for them afterwards');
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');

# What the library stores has the columns that it knows.
{
	$wires->sql(1, 'ALTER TABLE ledger_internal.call_outcome ADD COLUMN more integer');
	my $ref = $wires->sql(1, 'SELECT depot.tally(2)');

	ok($node->wait_for_log(qr/ERROR:  table call_outcome has a column more, which is not known/), 'a column more keeps blocks from being applied');
	$wires->sql(1, 'ALTER TABLE ledger_internal.call_outcome DROP COLUMN more');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', 'until it is dropped');
}

# A test ledger can be ended, with what all versions have made.
$wires->sql(1, 'SELECT ledger.dispose()');
is($wires->sql(1, q{SELECT to_regnamespace('shelf') IS NULL}), 't', 'nothing is left when the ledger is ended');

done_testing();
