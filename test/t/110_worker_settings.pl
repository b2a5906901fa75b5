# Settings that ALTER DATABASE gives to sessions do not stop the worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Test::More;

use LedgerCluster;

my $node = LedgerCluster->new_node('settings', purpose => 'test');

$node->safe_psql('postgres', <<'END');
CREATE ROLE nobody;
CREATE TABLE cdr (id bigint, charge float8, at timestamptz, took interval) USING ledger;
ALTER DATABASE postgres SET default_transaction_read_only = on;
ALTER DATABASE postgres SET default_transaction_deferrable = on;
ALTER DATABASE postgres SET default_transaction_isolation = serializable;
ALTER DATABASE postgres SET role = nobody;
ALTER DATABASE postgres SET search_path = nowhere;
ALTER DATABASE postgres SET session_replication_role = replica;
ALTER DATABASE postgres SET statement_timeout = 1;
ALTER DATABASE postgres SET lock_timeout = 1;
ALTER DATABASE postgres SET enable_indexscan = off;
ALTER DATABASE postgres SET extra_float_digits = -15;
ALTER DATABASE postgres SET DateStyle = 'SQL, DMY';
ALTER DATABASE postgres SET IntervalStyle = iso_8601;
ALTER DATABASE postgres SET TimeZone = 'Asia/Kolkata';
ALTER DATABASE postgres SET synchronous_commit = off;
ALTER DATABASE postgres SET client_encoding = SJIS;
END
$node->restart;

# A session that has the server's own settings again.
$ENV{PGOPTIONS} = join ' ', map { "-c $_" } qw(
	default_transaction_read_only=off default_transaction_deferrable=off
	role=none search_path=public statement_timeout=0 lock_timeout=0
	session_replication_role=origin extra_float_digits=1);
$node->safe_psql('postgres',
	"INSERT INTO cdr VALUES (1, 0.1234567890123456789, now(), '1 day 2 s')");
cmp_ok($node->safe_psql('postgres',
		"SELECT ledger.wait_final(ledger_ref, '60 s') FROM cdr"),
	'>', 0, 'the row becomes final');
is($node->safe_psql('postgres', "SELECT * FROM ledger.verify(mode => 'full')"),
	'', 'the ledger is clean');
$node->stop;

done_testing();
