# A shared table while its members crash and are away: every row is on all of
# them once, in the same block, also those of a load of many rows.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $id = '00112233-4455-6677-8899-aabbccddeeff';
my $rows = 20000;

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	$wires->sql($member, 'CREATE TABLE usage (id bigint NOT NULL, note text, at timestamptz, price numeric, tags text[], span int4range, payload jsonb, address inet, flags varbit) USING ledger');
	$wires->sql($member, 'CREATE INDEX ON usage (id)');
	$wires->sql($member, "SELECT ledger_internal.share_table('usage', '$id')");
}

# What is read back after a crash is compared with the pages as they were.
$wires->sql(2, "ALTER SYSTEM SET wal_consistency_checking = 'generic, btree'; SELECT pg_reload_conf()");

# Member 4 is away while a load begins; member 3 is killed while it applies.
$wires->node(4)->stop('immediate');
$wires->sql(1, "INSERT INTO usage SELECT n, md5(n::text), '2026-01-01'::timestamptz + n * interval '1 s', n / 7.0, CASE WHEN n % 10 = 0 THEN ARRAY['a', NULL, n::text] END, CASE WHEN n % 3 = 0 THEN int4range(n, n + 5) END, CASE WHEN n % 5 = 0 THEN jsonb_build_object('n', n) END, CASE WHEN n % 4 = 0 THEN '10.0.0.1/8'::inet END, n::bit(20)::varbit FROM generate_series(1, $rows) AS n");
my $last = $wires->sql(2, "INSERT INTO usage (id, note) VALUES (0, 'of member 2') RETURNING ledger_ref");

ok($wires->poll(3, 'SELECT count(*) > 0 FROM ledger_internal.foreign_batch'), 'a block is ordered at member 3');
$wires->node(3)->kill9_worker;
$wires->node(3)->kill9_worker;
$wires->node(4)->start;

my $sum = 'SELECT count(*), sum(hashtextextended(u::text, 0)) FROM usage AS u';
my $expected;

foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT count(*) = $rows + 1 AND ledger.is_final('$last') FROM usage"), "all rows are at member $member");
	$expected //= $wires->sql($member, $sum);
	is($wires->sql($member, $sum), $expected, 'the same ones under the same refs');
	is($wires->sql($member, 'SELECT count(*) FROM ledger.rejected'), '0', 'none was refused');
}
$wires->node(2)->stop('immediate');
$wires->node(2)->start;
foreach my $member (@members)
{
	is($wires->sql($member, "CREATE EXTENSION amcheck; SELECT bt_index_check(indexrelid, true) FROM pg_index WHERE indrelid = 'usage'::regclass"), "\n", "the indexes of member $member are sound");
}

# What has arrived in a wire is not logged there, and a crash empties it: chunks that were not taken by then are
# asked for once more.
foreach my $round (1 .. 3)
{
	$wires->sql(2, "INSERT INTO usage (id, note) VALUES (-$round, 'on its way')");
	$wires->node(3)->stop('immediate');
	$wires->node(3)->start;
	ok($wires->poll(3, "SELECT count(*) = 1 FROM usage WHERE id = -$round"), 'a row that was on its way comes all the same');
}
$wires->node($_)->wait_final_all foreach (@members);
my $heights = 'SELECT string_agg(DISTINCT ledger.height(ledger_ref)::text, \',\') FROM usage';

is($wires->sql($_, $heights), $wires->sql(1, $heights), "member $_ has them in the same blocks") foreach (2 .. 4);
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (@members);

done_testing();
