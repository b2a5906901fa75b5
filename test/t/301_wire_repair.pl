# What somebody drops or changes in a wire is repaired; what the wire has lost
# is sent again; somebody else's wire is left alone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use LedgerWire;

my $wires = LedgerWire->new(2);
my $prefix = $wires->sql(1, 'SELECT ledger_internal.wire_prefix()');

$wires->wait_streaming(1, 2);
$wires->wait_streaming(2, 1);
$wires->insert($_, 3) foreach (1, 2);
$wires->agree('linked');

# Everything that a wire consists of, as text.
my $shape = q{
SELECT 'relation ' || c.oid::regclass || ' ' || relkind::text || relpersistence::text || relrowsecurity::text || coalesce((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) AS a), '')
  FROM pg_class c WHERE relnamespace = 'ledger_wire'::regnamespace
UNION ALL SELECT 'column ' || attrelid::regclass || ' ' || attname || attstorage::text || attcompression::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'ledger_wire'::regnamespace AND relkind = 'r' AND attnum > 0
UNION ALL SELECT 'default ' || adrelid::regclass || ' ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_class c ON c.oid = adrelid WHERE relnamespace = 'ledger_wire'::regnamespace
UNION ALL SELECT 'trigger ' || tgenabled::text || ' ' || regexp_replace(pg_get_triggerdef(oid), '\s+', ' ', 'g') FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'ledger_wire'::regnamespace
UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'ledger_wire'::regnamespace
UNION ALL SELECT 'policy ' || polrelid::regclass || pg_get_expr(polqual, polrelid) FROM pg_policy
UNION ALL SELECT 'publication ' || pubname || pubupdate || puballtables FROM pg_publication
UNION ALL SELECT 'published ' || p.* ::text FROM pg_publication_tables p
UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'ledger_wire'::regnamespace
UNION ALL SELECT 'role ' || rolname || rolsuper || rolreplication || rolbypassrls || ' ' || rolconnlimit FROM pg_roles WHERE rolname LIKE 'ledger%'
UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
UNION ALL SELECT 'subscription ' || subname || subenabled || subbinary || subslotname || pg_get_userbyid(subowner) FROM pg_subscription
UNION ALL SELECT 'setting ' || l.line FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase, unnest(s.setconfig) AS l (line) WHERE d.datname = current_database() AND s.setrole = 0
UNION ALL SELECT 'database ' || has_database_privilege('public', current_database(), 'CONNECT')
ORDER BY 1};
my $whole = $wires->wire(1, $shape);
my $list = join '; ', split /\n/, $whole;

cmp_ok(() = $whole =~ /^index /mg, '>=', 12, 'the list has the indexes');
like($whole, qr/^role ${prefix}_2\w*falsetruefalse 8$/m, 'the role of a peer replicates, is no superuser and takes few connections');
like($whole, qr/^role ${prefix}_apply\w*falsefalsetrue -1$/m, 'that of the subscriptions is none either');
like($whole, qr/^setting jit=off\nsetting max_parallel_workers_per_gather=0$/m, 'what is asked is neither compiled nor shared among processes');

# What has another size than a row or a chunk is refused before it is stored, whoever sends it.
foreach my $case (
	[ 'log_2', 'message', q{decode(repeat('00', 145), 'hex')}, 'a message of 146 to 16777362 bytes, not of 145' ],
	[ 'log_1', 'message', q{convert_to(repeat('x', 16777363), 'UTF8')}, 'a message of 146 to 16777362 bytes, not of 16777363' ],
	[ 'log_2', 'message', 'NULL', 'a message of .* not of <NULL>' ],
	[ 'body_2', 'chunk', q{'\\x'}, 'a chunk of 1 to 1048576 bytes, not of 0' ],
	[ 'body_1', 'chunk', q{convert_to(repeat('x', 1048577), 'UTF8')}, 'a chunk of 1 to 1048576 bytes, not of 1048577' ])
{
	my ($table, $content, $value, $why) = @$case;
	my $role = $table =~ /_2/ ? "SET ROLE ${prefix}_apply;" : '';
	my ($status, $out, $error) = $wires->node(1)->psql(LedgerWire::WIRE, "$role INSERT INTO ledger_wire.$table ($content) VALUES ($value)");

	like($error, qr/ledger_wire\.$table takes $why/, "$table: not of $value");
}

# The number of a row is given here, whatever is sent, and who listens is told of it.
my $again = 'INSERT INTO ledger_wire.log_2 (arrival, message) SELECT -1, message FROM ledger_wire.log_2 ORDER BY arrival LIMIT 1 RETURNING arrival > 0';

like($wires->wire(1, "LISTEN ledger_wire; $again"), qr/^t\n.*"ledger_wire" with payload "log_2"/, 'a row of a peer has a number of this wire, and is news');
unlike($wires->wire(1, 'LISTEN ledger_wire; ' . ($again =~ s/log_2/log_1/gr)), qr/payload "log_1"/, 'an own one is none');
like($wires->wire(1, "LISTEN ledger_wire; INSERT INTO ledger_wire.body_2 (chunk) VALUES ('a') RETURNING arrival = (SELECT last_value FROM ledger_wire.arrival)"),
	qr/^t\n.*"ledger_wire" with payload "body_2"/, 'so is a chunk');
unlike($wires->wire(1, "LISTEN ledger_wire; INSERT INTO ledger_wire.body_1 (chunk) VALUES ('a')"), qr/payload "body_1"/, 'an own one is none');
foreach my $number (-1, 'NULL', "currval('ledger_wire.arrival') + 1", "currval('ledger_wire.arrival')")
{
	my ($status, $out, $error) = $wires->node(1)->psql(LedgerWire::WIRE,
		"SET ROLE ${prefix}_apply; INSERT INTO ledger_wire.body_2 (chunk) VALUES ('b'); INSERT INTO ledger_wire.body_2 (arrival, chunk) VALUES ($number, 'c')");

	like($error, qr/and numbers it itself|duplicate key value/, "a chunk has no number of its own: $number");
}
is($wires->wire(1, "SELECT count(*) FROM ledger_wire.body_2 WHERE chunk = 'c'"), '0', 'none of these is there');

# A row that is asked for by digest is found by the index, and a digest of one kind is none of another.
my $digest = $wires->sql(1, 'SELECT ledger_internal.batch_digest(message) FROM ledger_internal.own_log WHERE kind = 1 ORDER BY seq LIMIT 1');

foreach my $case ([ '1', 't' ], [ '3', 'f' ], [ '9, 10, 11, 12', 'f' ])
{
	my $query = "FROM ledger_wire.log_1 WHERE ledger_wire.wanted_key(message) = '$digest'::bytea AND get_byte(message, 61) IN ($case->[0])";
	my $setting = "SET enable_seqscan = off; SET ROLE ${prefix}_2;";

	is($wires->wire(1, "$setting SELECT count(*) > 0 $query"), $case->[1], "a batch is found by its digest among kinds $case->[0]: $case->[1]");
	like($wires->wire(1, "$setting EXPLAIN (COSTS OFF) SELECT message $query LIMIT 1"), qr/log_1_by_wanted/, 'by the index');
}

# Each kind of damage: is it one, and is it gone after a while?
my %damage = (
	'a dropped log' => 'DROP TABLE ledger_wire.log_2 CASCADE',
	'the own log dropped' => 'DROP TABLE ledger_wire.log_1 CASCADE',
	'a dropped trigger' => 'DROP TRIGGER on_arrival ON ledger_wire.log_2',
	'a disabled trigger' => 'ALTER TABLE ledger_wire.body_2 DISABLE TRIGGER refuse_truncate',
	'a dropped index' => 'DROP INDEX ledger_wire.log_2_by_place',
	'a dropped constraint' => 'ALTER TABLE ledger_wire.log_2 DROP CONSTRAINT log_2_key',
	'a dropped function' => 'DROP FUNCTION ledger_wire.refuse() CASCADE',
	'the publication dropped' => 'DROP PUBLICATION ledger_log',
	'a widened publication' => 'ALTER PUBLICATION ledger_log ADD TABLE ledger_wire.log_2',
	'row security turned off' => 'ALTER TABLE ledger_wire.body_1 DISABLE ROW LEVEL SECURITY',
	'a revoked privilege' => "REVOKE SELECT ON ledger_wire.log_2 FROM ${prefix}_2",
	'a role made superuser' => "ALTER ROLE ${prefix}_2 SUPERUSER",
	'a role without a limit' => "ALTER ROLE ${prefix}_2 CONNECTION LIMIT -1",
	'a dropped slot' => "SELECT pg_terminate_backend(active_pid, 5000), pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${prefix}_1_2_log'",
	'a foreign slot' => "SELECT pg_create_logical_replication_slot('spy', 'pgoutput')",
	'a dropped subscription' => 'ALTER SUBSCRIPTION log_2 DISABLE; ALTER SUBSCRIPTION log_2 SET (slot_name = NONE); DROP SUBSCRIPTION log_2',
	'a changed subscription' => 'ALTER SUBSCRIPTION log_2 SET (binary = false)',
	'the identity dropped' => 'DROP TABLE ledger_wire.identity CASCADE',
	'the view dropped' => 'DROP VIEW ledger_wire.head',
	'the schema dropped' => 'DROP SCHEMA ledger_wire CASCADE',
	'a setting dropped' => 'ALTER DATABASE postgres_wire RESET jit',
	'the database opened to all' => 'GRANT CONNECT ON DATABASE postgres_wire TO PUBLIC');

# As an older build has made it.
$damage{'an older trigger'} = q{CREATE FUNCTION ledger_wire.on_arrival() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; DROP TRIGGER on_arrival ON ledger_wire.body_1; CREATE TRIGGER on_arrival BEFORE INSERT ON ledger_wire.body_1 FOR EACH ROW EXECUTE FUNCTION ledger_wire.on_arrival(); ALTER TABLE ledger_wire.body_1 ENABLE ALWAYS TRIGGER on_arrival};
$damage{'an older constraint'} = 'ALTER TABLE ledger_wire.log_1 ADD CONSTRAINT log_1_size CHECK (octet_length(message) > 0)';
$damage{'an older index'} = 'CREATE FUNCTION ledger_wire.batch_digest(message bytea) RETURNS bytea IMMUTABLE RETURN sha256(message); CREATE INDEX log_2_by_batch ON ledger_wire.log_2 (ledger_wire.batch_digest(message)) WHERE get_byte(message, 61) = 1';

# What came from others is not logged once more, nor worth to be compressed.
like($whole, qr/^relation ledger_wire\.body_2 ru/m, 'bodies of others are not logged');
like($whole, qr/^relation ledger_wire\.body_1 rp/m, 'own ones are');
$damage{'bodies of others are logged'} = 'ALTER TABLE ledger_wire.body_2 SET LOGGED';

# Bodies are compressed where the server can do that quickly.
my $quickly = $wires->wire(1, q{SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'}) eq 't';

like($whole, qr/^column ledger_wire\.body_1 chunk@{[$quickly ? 'xl' : 'e']}$/m, 'own bodies are compressed if there is lz4');
like($whole, qr/^column ledger_wire\.body_2 chunke$/m, 'those of others are not');
is($wires->sql(1, q{SELECT string_agg(attstorage::text || attcompression::text, ' ') FROM pg_attribute WHERE attname = 'chunk' AND attrelid IN ('ledger_internal.own_body'::regclass, 'ledger_internal.peer_body'::regclass, 'ledger_internal.rebuilt_body'::regclass)}), join(' ', ($quickly ? 'xl' : 'e') x 3), 'and in the database');
$damage{'a body is not compressed'} = 'ALTER TABLE ledger_wire.body_1 ALTER COLUMN chunk SET STORAGE EXTERNAL' if $quickly;

# The larger ones last: they take the others with them.
foreach my $large (0, 1)
{
	foreach my $name (sort grep { /\b(?:log|schema|identity|function) dropped|dropped (?:log|function)/ == $large } keys %damage)
	{
		# looked at in its own transaction, before it is repaired
		my $between = $name =~ /slot/ ? '' : 'BEGIN;';
		my $look = $name eq 'the schema dropped' ? "SELECT 'nothing'" : $shape;
		my ($status, $after, $error);

		# what was damaged before may be under repair: one of the two gives way, or waits
		for (1 .. 100)
		{
			($status, $after, $error) = $wires->node(1)->psql('postgres_wire',
				"SET client_min_messages = warning; $between $damage{$name}; $look; " . ($between ? 'COMMIT' : ''));
			last if $error !~ /deadlock detected|subscription "log_2" does not exist/;
			usleep(200_000);
		}

		is($error, '', "$name can be done");
		isnt($after, $whole, 'and is a difference');
		wait_whole($name) if $large;
	}
	wait_whole('all of it');
}

sub wait_whole
{
	my ($name) = @_;

	for (1 .. 150)
	{
		$wires->sql(1, 'SELECT pg_reload_conf()');		# look now
		usleep(200_000);
		# without a schema there is no shape yet
		last if (($wires->node(1)->psql(LedgerWire::WIRE, $shape))[1] // '') eq $whole;
	}
	is($wires->wire(1, $shape), $whole, "$name is repaired");
	return;
}

$wires->insert($_, 2) foreach (1, 2);
$wires->wait_streaming(1, 2);
$wires->wait_streaming(2, 1);
$wires->agree('and rows flow as before');
is($wires->wire(1, 'SELECT count(DISTINCT message) FROM ledger_wire.log_1'),
	$wires->sql(1, 'SELECT count(*) FROM ledger_internal.own_log'),
	'a wire that was lost has all of the own log again');

# Others ask this wire what its member has seen of them: that it does not forget.
my $newest = $wires->sql(1, "SELECT encode(message, 'hex') FROM ledger_internal.peer_log WHERE member = 2 ORDER BY seq DESC LIMIT 1");

$wires->wire(1, 'DROP TABLE ledger_wire.log_2 CASCADE');
$wires->sql(1, 'SELECT pg_reload_conf()');
ok($wires->poll(1, "SELECT encode(message, 'hex') FROM ledger_wire.log_2 ORDER BY arrival DESC LIMIT 1", $newest, 'postgres_wire'),
	'the newest row that is kept of a peer is in a wire that was made anew');

done_testing();
