# Verification needs no memory by the number of rows: the peak of a session's
# process is the same for a small table and one that is seven times as large.
# ROWS=10000000 makes it ten million; the bound stays.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerCluster;

# What the two peaks may differ by; 10 bytes for each row more are in excess.
use constant DIFFERENCE_MAX_KB => 4096;

plan skip_all => 'needs /proc' unless -r '/proc/self/status';

my $few = 70_000;
my $many = $ENV{ROWS} // 500_000;
my $node = LedgerCluster->new_node('memory', purpose => 'test', conf => <<'END');
autovacuum = off
jit = off
shared_buffers = 4MB
work_mem = 1MB
max_wal_size = 8GB
telco_ledger.verify_workers = 0
END

for my $rows ($few, $many)
{
	$node->safe_psql('postgres', "CREATE TABLE rows_$rows (id bigint, imsi text, amount numeric) USING ledger");
	$node->safe_psql('postgres', "INSERT INTO rows_$rows SELECT g, '23415' || g, g / 100.0 FROM generate_series(1, $rows) g");
	$node->wait_final_all;
}

# The greatest size, in kB, of a process that answers nothing but this, and what
# it answered.
sub peak
{
	my ($query) = @_;
	my $session = $node->background_psql('postgres');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $answer = $session->query_safe($query);

	open my $file, '<', "/proc/$pid/status" or die "process $pid is gone\n";
	my ($kilobytes) = join('', <$file>) =~ /^VmHWM:\s+(\d+) kB/m;
	close $file;
	$session->quit;
	return ($kilobytes, $answer);
}

# Peak and answer for both tables.
sub compared
{
	my ($name, $query, $expected) = @_;
	my @peaks = map
	{
		my ($peak, $answer) = peak($query =~ s/%s/rows_$_/gr);

		is($answer, $expected, "$name: $_ rows") if defined $expected;
		$peak;
	} ($few, $many);

	note("$name: $peaks[0] kB and $peaks[1] kB");
	return $peaks[1] - $peaks[0];
}

cmp_ok(compared('a list of the rows', 'SELECT length(string_agg(imsi, NULL)) FROM %s'), '>', DIFFERENCE_MAX_KB,
	'what keeps the rows is noticed');
cmp_ok(compared('quick pass', "SELECT count(*) FROM ledger.verify('%s', 'full')", '0'), '<', DIFFERENCE_MAX_KB,
	'the quick pass needs no memory by rows');
for my $rows ($few, $many)
{
	$node->safe_psql('postgres', <<"END");
SET allow_system_table_mods = on;
BEGIN;
UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE oid = 'rows_$rows'::regclass;
UPDATE rows_$rows SET amount = -1 WHERE id = $rows;
UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'ledger') WHERE oid = 'rows_$rows'::regclass;
COMMIT;
END
}
cmp_ok(compared('exact pass', "SELECT string_agg(kind, ' ') FROM ledger.verify('%s', 'full')", 'row_changed'), '<', DIFFERENCE_MAX_KB,
	'nor does the exact one');

$node->stop;
done_testing();
