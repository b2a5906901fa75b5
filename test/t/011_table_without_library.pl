# A server that was started without the library opens no ledger table: without
# its hooks TRUNCATE and DROP would pass.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_node('without');

$node->safe_psql('postgres', 'CREATE TABLE cdr (id integer) USING ledger; INSERT INTO cdr VALUES (1); CREATE TABLE other (id integer)');
$node->wait_final_all;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
for my $statement ('SELECT * FROM cdr', 'INSERT INTO cdr VALUES (2)', 'UPDATE cdr SET id = 2', 'DELETE FROM cdr',
	'TRUNCATE cdr', 'DROP TABLE cdr', 'ALTER TABLE cdr SET ACCESS METHOD heap', 'DROP EXTENSION telco_ledger CASCADE',
	'CREATE TABLE x (id integer) USING ledger')
{
	my ($status, $stdout, $stderr) = $node->psql('postgres', $statement);

	isnt($status, 0, "refused: $statement");
	like($stderr, qr/shared_preload_libraries = 'telco_ledger'/, 'and the message gives the line to set');
}
is($node->safe_psql('postgres', 'INSERT INTO other VALUES (1) RETURNING id'), '1', 'other tables work');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'telco_ledger'");
$node->restart;
is($node->safe_psql('postgres', 'SELECT id FROM cdr'), '1', 'with the library again the row is there');
$node->verify_clean;

$node->stop;
done_testing();
