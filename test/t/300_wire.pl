# Two members: their wires are made, linked, and each keeps the other's log,
# byte for byte.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(2, link => 0);

# Alone, a member has no wire and no process for one.
$wires->insert(1, 2);
is($wires->sql(1, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'"), '0', 'a member without peers has no process for a wire');
is($wires->sql(1, "SELECT count(*) FROM pg_database WHERE datname = 'postgres_wire'"), '0', 'nor a wire database');
is($wires->sql(1, 'SELECT count(*) FROM ledger.peer'), '0', 'and ledger.peer is empty');

$wires->introduce(1, 2);
$wires->introduce(2, 1);
$wires->wait_streaming(1, 2);
$wires->wait_streaming(2, 1);
pass('both links stream');
$wires->agree('rows from before are on the other side');
$wires->insert($_, 3) foreach (1, 2);
$wires->agree('and those that come');

done_testing();
