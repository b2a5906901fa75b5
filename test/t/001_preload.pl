# Without shared_preload_libraries the library refuses to load, and says which
# line to set; with that line it loads.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $server = LedgerCluster->new_server('preload', preload => 0);

for my $statement ('CREATE EXTENSION telco_ledger CASCADE', "LOAD 'telco_ledger'")
{
	my ($status, $stdout, $stderr) = $server->psql('postgres', $statement);

	isnt($status, 0, "refused without preload: $statement");
	like($stderr, qr/ERROR:  telco_ledger must be loaded by the server at start$/m, 'the message says what is wrong');
	like($stderr, qr/^HINT: .*\nshared_preload_libraries = 'telco_ledger'$/m, 'and gives the line to set');
}
is($server->safe_psql('postgres', 'SELECT count(*) FROM pg_extension'), '1', 'nothing was created but plpgsql');

$server->preload;
$server->restart;
$server->create_extension;
is($server->safe_psql('postgres', "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"),
	'pgcrypto plpgsql telco_ledger', 'with that line the extension and what it needs are created');

$server->stop;
done_testing();
