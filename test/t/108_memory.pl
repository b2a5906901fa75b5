# A million rows in one transaction: the worker's own memory stays bounded, by
# the size of a batch and not of the transaction.  ROWS=10000000 makes it ten
# million; the bound stays.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;
use Time::HiRes qw(usleep);

use LedgerCluster;

use constant MEMORY_MAX_MB => 128;

plan skip_all => 'needs /proc' unless -r '/proc/self/status';

my $rows = $ENV{ROWS} // 1_000_000;
my $node = LedgerCluster->new_node('memory', purpose => 'test', conf => "max_wal_size = 8GB\n");

$node->safe_psql('postgres', 'CREATE TABLE cdr (id bigint, imsi text, started timestamptz, amount numeric) USING ledger');
$node->wait_final_all;
my $worker = $node->wait_for_worker;
my ($peak, $looks) = (own_memory_mb($worker), 0);

$node->safe_psql('postgres',
	"INSERT INTO cdr SELECT g, '23415' || g, now(), g / 100.0 FROM generate_series(1, $rows) g");
while ($node->safe_psql('postgres', "SELECT coalesce(sum(rows), 0) < $rows FROM ledger.batch") eq 't')
{
	my $now = own_memory_mb($worker);

	$peak = $now if $now > $peak;
	$looks++;
	usleep(20_000);
}
is($node->worker_pid, $worker, 'the worker is the same');
cmp_ok($looks, '>', 0, "its memory was looked at ($looks times)");
cmp_ok($peak, '<', MEMORY_MAX_MB, "its own memory stays bounded ($peak MB at most, for $rows rows)");
$node->wait_final_all;
is( $node->safe_psql('postgres', 'SELECT count(*) FROM cdr WHERE ledger.is_final(ledger_ref)'),
	$rows, 'all rows are final');
is($node->safe_psql('postgres', 'SELECT max(rows) FROM ledger.batch'), '65536', 'in batches of the greatest size');

$node->stop;
done_testing();

# Memory that the process does not share with others: its heap, not the buffers.
sub own_memory_mb
{
	my ($pid) = @_;

	open my $file, '<', "/proc/$pid/status" or die "worker $pid is gone\n";
	my ($kilobytes) = join('', <$file>) =~ /^RssAnon:\s+(\d+) kB/m;
	close $file;
	return int($kilobytes / 1024);
}
