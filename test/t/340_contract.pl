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

# Once only.
refused($wires, 4, q{SELECT ledger.deploy('roaming', 'CREATE TABLE t (a int) USING ledger')}, qr/contract "roaming" is deployed since block \d+/, 'the name is taken for ever');

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

foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
}

done_testing();
