# A contract of four members: proposed by one, approved by two others, deployed by
# all in the same block.  What it has made is the same everywhere, and nobody
# changes it.
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

sub in_state
{
	my ($name, $state, @who) = @_;
	my @late = grep { !$wires->poll($_, "SELECT state FROM ledger.contract WHERE name = '$name'", $state) } @who;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is("@late", '', "contract $name is $state at @who")
	  || diag(map { "member $_\n" . $wires->sql($_, 'SELECT name, state, reason, approved_by, needed FROM ledger.contract') . "\n" } @who);
}

# Proposed: what cannot be is refused at once.
refused($wires, 1, q{SELECT ledger.deploy('ledger_x', 'CREATE TABLE t (a int) USING ledger')}, qr/cannot be called "ledger_x"/, 'a name of the library is refused');
refused($wires, 1, q{SELECT ledger.deploy('public', 'CREATE TABLE t (a int) USING ledger')}, qr/cannot be called "public"/, 'and that of a schema that everybody has');
refused($wires, 1, q{SELECT ledger.deploy('roaming', 'CREATE TABLE t (a int)')}, qr/this script can be no contract\n.*line 1: CREATE TABLE: rows of a contract's table are on the ledger/s, 'a script that is refused is not proposed');
refused($wires, 2, q{SELECT ledger.approve('roaming')}, qr/contract "roaming" is not proposed/, 'what nobody has proposed cannot be approved');

my $motion = deploy($wires, 1, 'roaming', $roaming);
refused($wires, 1, q{SELECT ledger.approve('roaming')}, qr/this member has approved of that already/, 'who proposes has approved');
approve($wires, 'roaming', 2);
ok($wires->poll(3, q{SELECT approved_by = '{member1,member2}' FROM ledger.contract WHERE name = 'roaming'}), 'two approve');
is($wires->sql(3, q{SELECT state, needed, since_height IS NULL, to_regnamespace('roaming') IS NULL FROM ledger.contract WHERE name = 'roaming'}), 'proposed|3|t|t', 'two of four are no quorum, and nothing is made');
ok($wires->poll(3, q{SELECT source IS NOT NULL FROM ledger.contract WHERE name = 'roaming'}), 'the source is there');
is($wires->sql(3, q{SELECT source FROM ledger.contract WHERE name = 'roaming'}), $roaming, 'the source can be read before');
approve($wires, 'roaming', 3);
in_state('roaming', 'deployed', @members);
is($wires->sql(4, "SELECT kind, state FROM ledger.motion WHERE motion = '$motion'"), 'contract|decided', 'its motion is decided');

# The same everywhere.
my %what = (
	'the height' => q{SELECT since_height, version, hash FROM ledger.contract WHERE name = 'roaming'},
	'the tables' => q{SELECT relation::regclass, contract, table_id, height FROM ledger_internal.shared_table ORDER BY 1},
	'the columns' => q{SELECT attrelid::regclass, attnum, attname, atttypid::regtype, attnotnull FROM pg_attribute WHERE attrelid::regclass::text LIKE 'roaming.%' AND attnum > 0 ORDER BY 1, 2},
	'the owner' => q{SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace = 'roaming'::regnamespace ORDER BY 1}
);

foreach my $name (sort keys %what)
{
	my %answers = map { $wires->sql($_, $what{$name}) => 1 } @members;

	is(scalar(keys %answers), 1, "$name: the same everywhere") || diag(join "\n--\n", keys %answers);
}
is($wires->sql(2, q{SELECT count(*) FROM ledger_internal.shared_table WHERE contract = 'roaming'}), '2', 'both tables are shared');
is($wires->sql(2, q{SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'roaming'::regnamespace}), 'ledger_contract', 'and belong to the role that owns all contracts');

# The bytes of a table id: those of the format, by another hand.
is($wires->sql(2, q{SELECT table_id = encode(substring(sha256('telco_ledger/1/table'::bytea || int2send(7::int2) || 'roaming' || int2send(5::int2) || 'usage') FOR 16), 'hex')::uuid
  FROM ledger_internal.shared_table WHERE relation = 'roaming.usage'::regclass}), 't', 'the table id follows from the names');

# Used: by its rules, and by who was given the privilege.
my $ref = $wires->sql(2, q{CREATE ROLE app; GRANT ledger_submitter TO app; SET ROLE app; INSERT INTO roaming.usage VALUES ('4915112345678', 'mobile originated', '2026-01-01', 60) RETURNING ledger_ref});
like($ref, qr/^2\.0\.\d+\.1$/, 'a row goes in');
foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT served || ' ' || kind || ' ' || seconds FROM roaming.usage WHERE ledger_ref = '$ref'", '4915112345678 mobile originated 60'), "and is there at member $member");
}
refused($wires, 2, q{INSERT INTO roaming.usage VALUES ('x', 'mobile originated', '2026-01-01', 60)}, qr/violates check constraint/, 'not against its rules');

# Two members propose a second version at the same time, and a quorum approves of
# both: the one that is decided first wins, at all members.
{
	my @scripts = map { "CREATE TABLE count_$_ (n integer PRIMARY KEY) USING ledger_state;\nINSERT INTO count_$_ VALUES ($_);\nCREATE OR REPLACE VIEW long_usage AS SELECT served, seconds, $_ AS by_member FROM usage WHERE seconds > 60" } (1, 2);

	$wires->sql($_, 'SELECT ledger_internal.submit(convert_to($source$' . $scripts[ $_ - 1 ] . q{$source$, 'UTF8'))}) foreach (1, 2);
	foreach my $member (1, 2, 3)
	{
		my $both = join ' AND ', map { 'EXISTS (SELECT FROM ledger_internal.ordered_chunk WHERE digest = sha256(convert_to($source$' . $_ . q{$source$, 'UTF8')))} } @scripts;

		$wires->poll($member, "SELECT $both");
		$wires->sql($member, join ';', map { 'SELECT ledger_internal.ask_approval(ledger_internal.make_notice(format(\'contract roaming version 2 of %s bytes\', octet_length($source$' . $_ . '$source$)), sha256(convert_to($source$' . $_ . q{$source$, 'UTF8'))))} } @scripts);
	}
	my $second = q{SELECT string_agg(state, ' ' ORDER BY state) FROM ledger.contract WHERE name = 'roaming'};

	ok($wires->poll($_, $second, 'deployed failed superseded'), "one of two versions wins at member $_") || diag($wires->sql($_, 'SELECT name, version, state, reason, approved_by FROM ledger.contract')) foreach (@members);
	like(same_everywhere($wires, q{SELECT version, since_height, superseded_at, hash, reason FROM ledger.contract WHERE name = 'roaming' ORDER BY since_height}, @members),
		qr/^1\|(\d+)\|(\d+)\|\S+\|\n2\|\2\|\|\S+\|\n2\|\d+\|\|\S+\|it replaces version 1, and version 2 is deployed since block \2$/, 'the same one everywhere');
	like(same_everywhere($wires, q{SELECT c.relname, p.digest FROM pg_class AS c JOIN ledger.state AS p ON p.relation = c.oid WHERE c.relname LIKE 'count_%'}, @members), qr/^count_\d\|\S+$/, 'with the state that it has made');
	refused($wires, 4, q{SELECT ledger.approve('roaming')}, qr/contract "roaming" is not proposed/, 'the other one cannot be approved any more');
}

# A member whose database is in the way waits, and says so; the others do not.
$wires->sql(4, 'CREATE SCHEMA tariff');
deploy($wires, 2, 'tariff', 'CREATE TABLE rate (zone text, cents numeric) USING ledger');
$wires->poll(4, q{SELECT EXISTS (SELECT FROM ledger_internal.open_contracts() WHERE name = 'tariff')});
refused($wires, 4, q{SELECT ledger.approve('tariff')}, qr/schema "tariff" exists already/, 'who has such a schema does not approve');
approve($wires, 'tariff', 1, 3);
in_state('tariff', 'deployed', 1, 2, 3);
in_state('tariff', 'approved', 4);
$wires->sql(4, 'ALTER SCHEMA tariff RENAME TO old_tariff');
in_state('tariff', 'deployed', 4);
is($wires->sql(4, q{SELECT h FROM (SELECT since_height FROM ledger.contract WHERE name = 'tariff') AS c (h)}), $wires->sql(1, q{SELECT since_height FROM ledger.contract WHERE name = 'tariff'}), 'in the same block');

# Whoever is granted a view reads all of its rows and columns, and needs nothing beneath it.
$wires->sql(1, 'CREATE ROLE analyst; GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO analyst');
foreach my $view (split /\n/, $wires->sql(1, q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'v' ORDER BY oid}))
{
	my ($status, $out, $error) = $wires->node(1)->psql('postgres', "SET ROLE analyst; SELECT count(v::text) FROM $view AS v");

	is($error, '', "$view is read by whom it was granted to");
	cmp_ok($out, '>', 0, "$view has rows") if $view =~ /\.(?:contract|motion|member|status|block)$/;
}

foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
}

done_testing();
