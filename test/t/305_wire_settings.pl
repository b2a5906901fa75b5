# What a DBA is told: settings to change, lines for pg_hba.conf, addresses that
# cannot be announced, a wire that cannot be prepared.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use LedgerWire;

# wal_level and the rest as they are by default
my $plain = LedgerCluster->new_server('plain', conf => "wal_level = replica\nmax_wal_senders = 1\nmax_replication_slots = 1\n");

$plain->create_extension;
my ($status, $out, $error) = $plain->psql('postgres', "SELECT ledger.announce('host=wire.example.net dbname=x_wire')");
like($error, qr/this database is not a node of a ledger/, 'no node announces nothing');
$plain->create_node('plain', 'test');

sub settings { return $plain->safe_psql('postgres', 'SELECT server, name, line FROM ledger.check_settings() ORDER BY name, line') }

my $told = settings();
like($told, qr/^wire\|wal_level\|wal_level = logical$/m, 'wal_level');
like($told, qr/^wire\|max_slot_wal_keep_size\|max_slot_wal_keep_size = '16GB'$/m, 'max_slot_wal_keep_size');
like($told, qr/^wire\|max_wal_senders\|max_wal_senders = 2$/m, 'max_wal_senders');
like($told, qr/^wire\|max_replication_slots\|max_replication_slots = 4$/m, 'max_replication_slots');
like($told, qr/^ledger\|telco_ledger.wire_conninfo\|/m, 'a wire in the ledger\'s own server');
is($plain->safe_psql('postgres', "SELECT count(*) FROM ledger.check_settings() WHERE why = '' OR line = ''"), '0', 'each with line and reason');

# Addresses.
my %refused = (
	'host=a dbname=b password=c' => qr/on the ledger for ever/,
	'host=a dbname=b user=postgres' => qr/It holds "user"/,
	'host=a dbname=b options=-csearch_path=x' => qr/It holds "options"/,
	'host=a dbname=b service=x' => qr/It holds "service"|no connection string/,
	'host=a dbname=b passfile=/etc/passwd' => qr/It holds "passfile"/,
	'postgresql://a:b@c/d' => qr/on the ledger for ever|It holds "user"/,
	'host=a' => qr/It must name host and dbname/,
	'dbname=b' => qr/It must name host and dbname/,
	'nonsense' => qr/no connection string/,
	"host=''a b'' dbname=c" => qr/a character that/,
	"host=''10.0.0.1/32\nhost\tall\tall\tall\ttrust\n'' dbname=b" => qr/a character that/,
	'host=a dbname=b,c"d' => qr/a character that/,
	'host=a\# dbname=b' => qr/a character that/,
	'host=all dbname=b' => qr/"all" is no host/,
	'host=b,ALL dbname=b' => qr/"ALL" is no host/,
	'hostaddr=samehost dbname=b' => qr/"samehost" is no host/,
	'host=samenet dbname=b' => qr/"samenet" is no host/,
	'host=.example.net dbname=b' => qr/".example.net" is no host/,
	'host=10.0.0.0/8 dbname=b' => qr/"10.0.0.0\/8" is no host/,
	'host=a,,b dbname=b' => qr/"" is no host/,
	'host=a dbname=' . 'b' x 300 => qr/more than 255 bytes/);

foreach my $address (sort keys %refused)
{
	($status, $out, $error) = $plain->psql('postgres', "SELECT ledger.announce('$address')");
	like($error, qr/this address cannot be announced.*$refused{$address}/s, "refused: " . substr $address =~ s/\s/ /gr, 0, 50);
}
my $announced_at = -s $plain->logfile;
$plain->safe_psql('postgres', "SELECT ledger.announce('host=wire.example.net port=5433 dbname=plain_wire sslmode=verify-full')");
is($plain->safe_psql('postgres', 'SELECT member, address FROM ledger.peer'), '1|host=wire.example.net port=5433 dbname=plain_wire sslmode=verify-full', 'an address is announced');
usleep(2_000_000);
ok(!$plain->log_contains('the wire of this ledger lies in', $announced_at), 'which alone starts nothing');
$plain->safe_psql('postgres', 'CREATE ROLE somebody');
foreach my $call ("ledger.announce('host=a dbname=b')", 'ledger.check_settings()', 'ledger.hba_rules()')
{
	($status, $out, $error) = $plain->psql('postgres', "SET ROLE somebody; SELECT * FROM $call");
	like($error, qr/permission denied/, "not everybody may call $call");
}

# With a peer, a wire that is not allowed to keep WAL without end gets no slots.
my $key = '\\x' . '11' x 32;
my $log_start = -s $plain->logfile;

$plain->safe_psql('postgres', "SELECT ledger_internal.set_peer($_->[0], '$key', 'host=$_->[1] dbname=w')")
  foreach ([ 2, '192.0.2.7' ], [ 3, 'wire.example.org' ], [ 4, '/var/run/postgresql' ], [ 5, '2001:db8::1' ],
	[ 6, 'all host=wire.example.com' ], [ 7, "''192.0.2.8,192.0.2.9''" ], [ 8, '@abstract' ]);
($status, $out, $error) = $plain->psql('postgres', "SELECT ledger_internal.set_peer(2, '\\x" . '22' x 32 . "', 'host=192.0.2.7 dbname=w')");
like($error, qr/member 2 is known with another row key/, 'a member does not change its key this way');
is($plain->safe_psql('postgres', 'SELECT row_key FROM ledger_internal.peer WHERE member = 2'), $key, 'and keeps the one that it has');
ok($plain->poll_query_until('postgres', "SELECT reason LIKE 'wal_level is replica' FROM ledger.peer WHERE member = 1"), 'ledger.peer says that wal_level is wrong');
ok($plain->log_contains('could not prepare the wire of this ledger: wal_level is replica', $log_start), 'and so does the log');
$plain->append_conf('postgresql.conf', "wal_level = logical\nmax_worker_processes = 20\nmax_wal_senders = 14\nmax_replication_slots = 28\nmax_logical_replication_workers = 14\n");
$plain->restart;
ok($plain->poll_query_until('postgres', "SELECT reason LIKE 'max_slot_wal_keep_size is -1%' FROM ledger.peer WHERE member = 1"), 'then that WAL is kept without end');
is($plain->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'no slot is made before');
$plain->safe_psql('postgres', "ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'");
$plain->reload;
ok($plain->poll_query_until('postgres', 'SELECT count(*) = 14 FROM pg_replication_slots'), 'then slots are made');
unlike(settings(), qr/^wire\|/m, 'and the wire\'s server is as it shall be');

my $prefix = $plain->safe_psql('postgres', 'SELECT ledger_internal.wire_prefix()');
my $rules = $plain->safe_psql('postgres', 'SELECT ledger.hba_rules()');
like($rules, qr/^hostssl  postgres_wire  ${prefix}_2  192.0.2.7\/32  cert$/m, 'a line for an IPv4 address');
like($rules, qr/^hostssl  postgres_wire  ${prefix}_3  wire.example.org  cert$/m, 'for a name');
like($rules, qr/^local    postgres_wire  ${prefix}_4  peer map=telco_ledger$/m, 'for a socket');
like($rules, qr/^hostssl  postgres_wire  ${prefix}_5  2001:db8::1\/128  cert$/m, 'for an IPv6 address');
like($rules, qr/^hostssl  postgres_wire  ${prefix}_6  wire.example.com  cert$/m, 'for the host that counts, of two');
like($rules, qr/^hostssl  postgres_wire  ${prefix}_7  192.0.2.8\/32  cert$/m, 'for one of several');
like($rules, qr/^hostssl  postgres_wire  ${prefix}_7  192.0.2.9\/32  cert$/m, 'and for the other one');
like($rules, qr/^local    postgres_wire  ${prefix}_8  peer map=telco_ledger$/m, 'for an abstract socket');
like($rules, qr/^host     all,replication  ${prefix}_2  all  reject$/m, 'and nothing else for a peer');
like($rules, qr/^host     all,replication  ${prefix}_apply  all  reject$/m, 'nor at all for the role of the subscriptions');

# The server takes the lines.
my $hba = $plain->data_dir . '/pg_hba.conf';
my $old = slurp_file($hba);
open my $file, '>', $hba or die;
print $file $rules, "\n", $old;
close $file;
$plain->reload;
is($plain->safe_psql('postgres', 'SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL AND NOT error ~ \'hostssl\''), '0', 'pg_hba.conf with these lines can be read');
($status, $out, $error) = $plain->psql('postgres', '', connstr => 'dbname=postgres host=' . $plain->host . ' port=' . $plain->port . " user=${prefix}_2");
isnt($status, 0, 'a peer cannot enter the ledger\'s database');

# Somebody else's wire is left alone.
$plain->safe_psql('postgres_wire', "UPDATE ledger_wire.identity SET member = 9");
ok($plain->poll_query_until('postgres', "SELECT reason LIKE 'database \"postgres_wire\" is the wire of member 9 of ledger %' FROM ledger.peer WHERE member = 1"), 'the wire of another member is not touched');

# A ledger that comes to an end takes the process of its wire with it.
my $processes = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'";

ok($plain->poll_query_until('postgres', $processes, '1'), 'the process of the wire is there');
$plain->safe_psql('postgres', 'SELECT ledger.dispose()');
ok($plain->poll_query_until('postgres', $processes, '0'), 'and goes when the ledger is disposed of');
my $disposed_at = -s $plain->logfile;
$plain->create_node('plain', 'test');
usleep(7_000_000);
ok(!$plain->log_contains('the wire of this ledger lies in', $disposed_at), 'nor does the next ledger have one');
is($plain->safe_psql('postgres', $processes), '0', 'nor a process');

done_testing();
