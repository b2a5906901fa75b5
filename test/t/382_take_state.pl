# A member whose state is not that of the others takes the state of a checkpoint from
# them: what a quorum has signed, whoever shows something else; and goes on with it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'usleep';

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';

$wires->announce($_) foreach (@members);
show($_, 'on') foreach (1 .. 3);
deploy($wires, 1, 'stock', <<'END');
CREATE DOMAIN amount AS numeric(12,2) CHECK (VALUE >= 0);
CREATE TABLE item (name varchar(20) PRIMARY KEY, left_over integer NOT NULL CHECK (left_over >= 0), price amount, tags text[], about jsonb) USING ledger_state;
CREATE TABLE part (item varchar(20) REFERENCES item, number integer, body text, PRIMARY KEY (item, number)) USING ledger_state;
CREATE INDEX part_by_number ON part (number);
CREATE TABLE empty (id integer PRIMARY KEY) USING ledger_state;
CREATE TABLE rare (id integer PRIMARY KEY) USING ledger_state;
CREATE TABLE note (body text) USING ledger;
CREATE FUNCTION over(timer ledger.timer) RETURNS void LANGUAGE sql
    BEGIN ATOMIC UPDATE item SET left_over = 0 WHERE name = (timer).key; END;
CREATE FUNCTION add(context ledger.context, name varchar, many integer) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO item VALUES (add.name, add.many, 1.50, ARRAY['a', NULL, 'b'], NULL);
    INSERT INTO part VALUES (add.name, 1, 'first'), (add.name, 2, NULL);
    SELECT ledger.emit('added', '{"is": 1}');
END;
CREATE FUNCTION write(context ledger.context, name varchar, first integer, last integer, body text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN first .. last LOOP
        INSERT INTO part VALUES (write.name, n, body);
    END LOOP;
END $$;
CREATE FUNCTION keep(context ledger.context, id integer) RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO rare VALUES (keep.id); END;
CREATE FUNCTION grow(context ledger.context, name varchar) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO item VALUES (grow.name, 0, NULL, ARRAY['x', NULL, 'y'], '1');
    FOR n IN 1 .. 70 LOOP
        UPDATE item SET about = jsonb_set('{"a":null}', '{a}' COLLATE "C", about) WHERE item.name = grow.name;
    END LOOP;
    FOR n IN 1 .. 19 LOOP
        UPDATE item SET tags = tags COLLATE "C" || tags WHERE item.name = grow.name;
    END LOOP;
END $$;
CREATE FUNCTION take(context ledger.context, name varchar, many integer) RETURNS void LANGUAGE sql BEGIN ATOMIC
    SELECT ledger.emit('taken');
    UPDATE item SET left_over = left_over - take.many WHERE item.name = take.name;
END;
CREATE FUNCTION remind(context ledger.context, name varchar, period interval) RETURNS void LANGUAGE sql BEGIN ATOMIC
    SELECT ledger.set_timer('over', remind.name, (context).block_time + remind.period);
END;
END
approve($wires, 'stock', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'stock'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);

sub done { my ($member, $call, $at) = @_; return $wires->sql($at // $member, "SELECT state FROM ledger.outcome('" . $wires->sql($member, "SELECT stock.$call") . "', '$wait')") }
sub stopped { my ($member, $expected, $name) = @_; return ok($wires->poll($member, "SELECT coalesce(stopped_by, '') FROM ledger.status", $expected), $name) || diag($wires->sql($member, 'SELECT * FROM ledger.state_take') . "\n" . $wires->sql($member, 'SELECT * FROM ledger.status')) }
sub problems { my ($member) = @_; return $wires->sql($member, q{SELECT kind, relation, height, detail FROM ledger.verify(mode => 'full')}) }

# Member 4, or another one, has a checkpoint of all blocks.
sub checkpoint_known { my ($name, $member) = @_; return ok($wires->poll($member // 4, 'SELECT max(c.height) >= (SELECT max(height) FROM ledger_internal.ordered_block) FROM ledger_internal.checkpoint AS c'), $name) }

# What stands in a file, from that offset on.
sub overwrite
{
	my ($file, $offset, $bytes) = @_;

	open my $handle, '+<:raw', $file or die "$file: $!\n";
	seek $handle, $offset, 0;
	read $handle, my $old, length $bytes;
	seek $handle, $offset, 0;
	print $handle $bytes;
	close $handle or die "$file: $!\n";
	return $old;
}

# As a superuser may who does not go through the contract.
sub change
{
	my ($member, $sql) = @_;
	my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

	$wires->sql($member, "SET allow_system_table_mods = on; BEGIN; $relam 'heap') WHERE oid = 'stock.item'::regclass; $sql; $relam 'ledger_state') WHERE oid = 'stock.item'::regclass; COMMIT");
	return;
}

# What a member shows goes through this first.
sub lie
{
	my ($member, $body) = @_;

	$wires->poll($member, q{SELECT to_regclass('ledger_wire.piece') IS NOT NULL}, 't', 'postgres_wire');
	$wires->wire($member, "CREATE FUNCTION ledger_wire.spoil() RETURNS trigger LANGUAGE plpgsql AS \$\$ DECLARE m bytea := NEW.message; BEGIN $body; NEW.message := m; RETURN NEW; END \$\$;"
		. ' CREATE TRIGGER spoil BEFORE INSERT ON ledger_wire.piece FOR EACH ROW EXECUTE FUNCTION ledger_wire.spoil()');
	return;
}

# A member that knows stable checkpoints only from headers.
sub lose_certificates
{
	my ($member) = @_;

	$wires->sql($member, 'CREATE FUNCTION public.lost() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;'
		. ' CREATE TRIGGER lost BEFORE INSERT ON ledger_internal.checkpoint FOR EACH ROW EXECUTE FUNCTION public.lost()');
	return;
}
sub keep_certificates { my ($member) = @_; $wires->sql($member, 'DROP FUNCTION public.lost() CASCADE'); return }
sub tell_the_truth { my ($member) = @_; $wires->wire($member, 'DROP FUNCTION ledger_wire.spoil() CASCADE'); return }
sub not_from { my ($member, $reason) = @_; return ok($wires->node(4)->wait_for_log(qr/WARNING:  the state after block \d+ is not taken from member $member\n.*DETAIL:  What the member shows $reason/), "not from member $member: $reason") }

# When a member was refused, in milliseconds of the day, so often.
sub refusals
{
	my ($member, $count) = @_;
	my @at;

	for (my $tries = 10 * $PostgreSQL::Test::Utils::timeout_default; $tries > 0 && @at < $count; $tries--)
	{
		my $log = slurp_file($wires->node(4)->logfile);

		@at = ();
		push @at, 1000 * (3600 * $1 + 60 * $2) + int(1000 * $3)
			while $log =~ /^\S+ (\d\d):(\d\d):(\d\d\.\d+) .*WARNING:  the state after block \d+ is not taken from member $member$/mg;
		usleep(100_000);
	}
	return @at;
}
sub show { my ($member, $value) = @_; $wires->sql($member, $_) foreach ("ALTER SYSTEM SET telco_ledger.show_state = $value", 'SELECT pg_reload_conf()'); return }

# A row that nobody has, as it stands in a piece.
sub often
{
	my ($values) = @_;

	return $wires->sql(4, "SELECT lpad(to_hex(octet_length(i)), 8, '0') || encode(i, 'hex') FROM ledger_internal.image(ROW($values)::stock.item) AS i");
}
sub tables { return map { "SELECT left(t::text, 200), md5(t::text) FROM stock.$_ AS t ORDER BY 1" } qw(item part empty rare over_timer) }
sub same_tables { my ($name) = @_; my @wrong = grep { same_everywhere($wires, $_, @members) =~ /^at / } tables(); return is("@wrong", '', $name) }

is(done(1, "add('nut', 100)"), 'done', 'a call has changed the state');
is(done(2, "write('nut', 10, 1500, repeat('x', 1000))", 4), 'done', 'by more rows than stand in one piece');
is(done(2, "remind('nut', '1 day')", 4), 'done', 'and set a timer');
is(done(2, 'keep(1)', 4), 'done', 'and written what nothing reads');
change(4, q{UPDATE stock.item SET left_over = 5 WHERE name = 'nut'});
my $failed = $wires->sql(1, q{SELECT stock.take('nut', 50)});
is($wires->sql(1, "SELECT state FROM ledger.outcome('$failed', '$wait')"), 'done', 'a call is done at the others');
stopped(4, 'diverged', 'member 4 has another state, as a row was changed there');
is($wires->sql(4, "SELECT state FROM ledger.outcome('$failed')"), 'failed', 'and another outcome');
like($wires->error_of(4, q{SELECT ledger.take_state('')}), qr/ERROR:  ledger\.take_state\(\) needs a reason/, 'a reason is needed');
like($wires->error_of(4, q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT ledger.take_state('x')}), qr/ERROR:  ledger\.take_state\(\) needs a transaction that is READ COMMITTED/, 'an older snapshot is refused');

# What nothing has come of yet is cancelled.
like($wires->error_of(4, 'SELECT ledger.cancel_take()'), qr/ERROR:  no state is being taken\n/, 'nothing is to be cancelled');
like($wires->error_of(4, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT ledger.cancel_take()'), qr/ERROR:  ledger\.cancel_take\(\) needs a transaction that is READ COMMITTED/, 'nor in an older snapshot');
my $stop = $wires->sql(4, 'SELECT stopped_at, stopped_by FROM ledger.status');
$wires->sql(4, q{BEGIN; SELECT ledger.take_state('too early'); SELECT ledger.cancel_take(); COMMIT});
is($wires->sql(4, 'SELECT stopped_at, stopped_by, (SELECT count(*) FROM ledger.state_take) FROM ledger.status'), "$stop|0", 'what was cancelled leaves the member stopped as it was');

# Two lie, each in one way after the other; what is true comes last.
my $missed = $wires->sql(2, q{SELECT stock.add('bolt', 7)});
is(done(3, "take('bolt', 1)", 1), 'done', 'the others go on');
checkpoint_known('up to a checkpoint, of which member 4 knows');
lie(1, q{m := set_byte(m, octet_length(m) - 1, get_byte(m, octet_length(m) - 1) # 1)});
lie(2, q{m := substring(m FOR octet_length(m) / 2)});
$wires->sql(4, "SELECT ledger.take_state('somebody has changed a row', 'member1')");
not_from(1, 'is not the state that a quorum of the members has signed');
like($wires->error_of(4, 'SELECT ledger.cancel_take()'), qr/ERROR:  blocks are applied here without the calls in them\n/, 'now it cannot be cancelled any more');
is($wires->sql(4, "SELECT state, message FROM ledger.outcome('$missed')"), 'unknown|this member is taking the state of a later block from the others, and does not know what became of calls before', 'as they are not executed any more');
like($wires->error_of(4, 'SELECT * FROM ledger.as_of(NULL::stock.item, 1)'), qr/ERROR:  the state of this member is being taken from the others\n/, 'and no state is shown');
{
	my @at = refusals(1, 5);

	cmp_ok(scalar @at, '>=', 5, 'who is asked alone and has lied is asked again');
	cmp_ok(($at[4] - $at[0]) % 86_400_000, '>', 6900, 'after 1 s, and 2, and 4');
}
$wires->sql(4, "SELECT ledger.take_state('somebody has changed one row', 'member2')");
is($wires->sql(4, 'SELECT reason FROM ledger.state_take'), 'somebody has changed one row', 'a state is taken once at a time');
not_from(2, 'cannot be that state: it has a piece that is too small');
$wires->sql(4, "SELECT ledger.take_state('somebody has changed one row')");
ok($wires->poll(4, q{SELECT done_at IS NOT NULL FROM ledger.state_take}), 'the state is taken') || diag($wires->sql(4, 'SELECT * FROM ledger.state_take'));
is($wires->sql(4, 'SELECT refused FROM ledger.state_take'), '{member1,member2}', 'and those who have lied are named');
stopped(4, '', 'member 4 goes on');
same_tables('with the rows of the others');
is($wires->sql(4, 'SELECT source, done_at > asked_at, waits_for IS NULL, pieces FROM ledger.state_take'), 'member3|t|t|2', 'which came from member 3');
is(same_everywhere($wires, 'SELECT relation, digest FROM ledger.state WHERE relation IN (\'stock.item\'::regclass, \'stock.part\'::regclass) ORDER BY 1', @members) =~ /^at /, '', 'and their set hashes');

is($wires->sql(4, "SELECT state, sqlstate FROM ledger.outcome('$_')"), 'unknown|40003', 'what became of a call is not known there') foreach ($failed, $missed);
like($wires->error_of(4, "CALL ledger.execute('$failed')"), qr/ERROR:  this member has taken the state of block \d+ from the others, and does not know what became of calls before\n/, 'who waits for it is told so');
is($wires->sql(4, "SELECT count(*) FROM ledger.event WHERE name = 'taken'"), '0', 'nor are its events');
{
	my $at = $wires->sql(4, 'SELECT height FROM ledger.state_take');

	is($wires->sql(4, "SELECT left_over FROM ledger.as_of(NULL::stock.item, $at) WHERE name = 'nut'"), '50', 'the state is known from that block on');
	like($wires->error_of(4, "SELECT * FROM ledger.as_of(NULL::stock.$_, $at - 1)"), qr/ERROR:  what "$_" was after block \d+ is not kept any more\n/, "and not before, of table $_") foreach ('item', 'empty');
}
is(done(4, "take('nut', 1)", $_ ), 'done', "calls are executed, at member $_") foreach (1, 4);
is($wires->sql(4, "SELECT left_over FROM stock.item WHERE name = 'nut'"), '48', 'on the state that was taken');
is(problems($_), '', "member $_ finds nothing wrong") foreach (1, 4);

# Its state counts: without it there is no quorum.
my $page = $wires->node(3)->data_dir . '/' . $wires->sql(3, q{SELECT pg_relation_filepath('stock.rare')});
$wires->node(3)->stop;
my $damaged = overwrite($page, 12, "\xff" x 4);
is(done(1, "add('washer', 3)", 4), 'done', 'a call without member 3');
done(2, "take('nut', 1)", 1);
ok($wires->poll(1, q{SELECT max(c.height) >= (SELECT max(height) FROM ledger_internal.call_outcome) FROM ledger_internal.checkpoint AS c}), 'there is a stable checkpoint above it, with the state of member 4');
$wires->node(3)->start;

# A changed row that nobody has noticed yet; the server crashes while the state is replaced.
change(4, q{UPDATE stock.item SET price = 0 WHERE name = 'bolt'});
like(problems(4), qr/^state_changed\|stock\.item\|/, 'a changed row that no call has met is found');
tell_the_truth($_) foreach (1, 2);
lie(1, q{m := substring(m FOR 8) || '\x7fffffff'::bytea || substring(m FROM 13)});
lie(2, q{m := m || decode(repeat('00', 16800000), 'hex')});
{
	my $session = $wires->node(4)->background_psql('postgres');

	$session->query_safe('BEGIN; LOCK TABLE stock.item IN SHARE MODE');
	$wires->sql(4, "SELECT ledger.take_state('a changed row', 'member3')");
	ok($wires->node(3)->wait_for_log(qr/WARNING:  the state after block \d+, which another member asks for, cannot be shown\n.*DETAIL:  invalid page in block 0 /), 'member 3 cannot read a page of its own');
	overwrite($page, 12, $damaged);
	is(done(1, "keep(2)", 3), 'done', 'but goes on');
	$wires->sql(4, "SELECT ledger.take_state('a changed row', 'member1')");
	not_from(1, 'cannot be that state: it is larger than max_mb of ledger.take_state\(\) allows');
	$wires->sql(4, "SELECT ledger.take_state('a changed row', 'member2')");
	not_from(2, 'cannot be that state: it has a piece of another size than pieces have');
	$wires->sql(4, "SELECT ledger.take_state('a changed row', 'member3')");
	ok($wires->poll(4, q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'stock.item'::regclass AND NOT granted}), 'the state of member 3 is being put into the tables');
	is($wires->sql(4, q{SELECT price FROM stock.item WHERE name = 'bolt'}), '0.00', 'and old until it is');
	kill 'KILL', $wires->sql(4, 'SELECT worker_pid FROM ledger.status');
	$session->{timeout}->start(5);
	eval { $session->quit };
}
ok($wires->node(4)->poll_query_until('postgres', q{SELECT coalesce(stopped_by, '') FROM ledger.status}, ''), 'after the crash it is taken all the same');
same_tables('and the changed row is as it was');
is(done(4, "take('bolt', 1)"), 'done', 'calls are executed');
is(problems(4), '', 'and nothing is wrong');
tell_the_truth($_) foreach (1, 2);

# Rows that come so often that the set hash does not see them, without a key and with one.
lie(1, q{m := m || decode(repeat('} . often(q{NULL, 3, 1.5, NULL, NULL}) . q{', 65536), 'hex')});
lie(2, q{m := m || decode(repeat('} . often(q{'often', 3, 1.5, NULL, NULL}) . q{', 65536), 'hex')});
my $before = $wires->sql(4, 'SELECT array_agg(i ORDER BY name) FROM stock.item AS i');
$wires->sql(4, "SELECT ledger.take_state('what a liar shows often', 'member1')");
not_from(1, 'cannot be put into the tables: a row has no value of column "name"');
$wires->sql(4, "SELECT ledger.take_state('what a liar shows often', 'member2')");
not_from(2, 'cannot be put into the tables: duplicate key value violates unique constraint "item_pkey"');
is($wires->sql(4, 'SELECT array_agg(i ORDER BY name) FROM stock.item AS i'), $before, 'and nothing is changed by them');

# All that is true, and behind it what is no row, or one of no table: nothing that was not counted goes in.
{
	my $id = $wires->sql(4, q{SELECT replace(table_id::text, '-', '') FROM ledger_internal.state_table WHERE relation = 'stock.item'::regclass});
	my $last = 'IF octet_length(m) < 1000000 THEN m := m ||';
	(my $stray = often(q{'stray', 3, 1.5, NULL, NULL})) =~ s/$id/'ff' x 16/e or die "no id of a table in a row\n";

	tell_the_truth($_) foreach (1, 2);
	lie(1, "$last '\\x$stray'::bytea; END IF");
	lie(2, "$last '\\x7fffffff'::bytea; END IF");
	foreach my $liar (1, 2)
	{
		$wires->sql(4, "SELECT ledger.take_state('what is no row', 'member$liar')");
		not_from($liar, 'has something that is no row of a state table');
	}
	is($wires->sql(4, 'SELECT array_agg(i ORDER BY name) FROM stock.item AS i'), $before, 'and nothing is changed by that');
}
$wires->sql(4, "SELECT ledger.take_state('what a liar shows often', 'member3')");
stopped(4, '', 'member 4 goes on with what the third one shows');
same_tables('which the others have');
is($wires->sql(4, 'SELECT source FROM ledger.state_take ORDER BY asked_at DESC LIMIT 1'), 'member3', 'and not the first two');
tell_the_truth($_) foreach (1, 2);

# Who makes the pieces anew meanwhile, as another one has had a turn, is asked again and is no liar.
lie(1, q{IF octet_length(m) BETWEEN 13 AND 999999 THEN RAISE LOG 'another making'; m := '\x0102030405060708'::bytea || substring(m FROM 9); END IF});
$wires->sql(4, "SELECT ledger.take_state('pieces that do not go together', 'member1')");
ok($wires->node(1)->wait_for_log(qr/LOG:  another making.*LOG:  another making/s), 'it begins with the first piece again');
tell_the_truth(1);
stopped(4, '', 'until they go together');
is($wires->sql(4, "SELECT refused IS NULL, source, pieces > 1 FROM ledger.state_take ORDER BY asked_at DESC LIMIT 1"), 't|member1|t', 'and names nobody');
same_tables('it has the rows of the others');

# Nobody writes and shows a state whose own server does not say so.
show(3, 'off');
ok($wires->poll(3, 'SELECT (SELECT count(*) FROM ledger_internal.asked_state), (SELECT count(*) FROM ledger_internal.shown_piece)', '0|0'), 'what member 3 has shown is dropped');
like($wires->error_of(4, "SELECT ledger.take_state('a trial', 'member9')"), qr/ERROR:  there is no other member "member9"/, 'nobody else can be asked');
my $held;
{
	my $session = $wires->node(4)->background_psql('postgres');

	$session->query_safe(q{BEGIN; SELECT ledger.take_state('a trial', 'member3', 1)});
	$held = $wires->sql(1, q{SELECT stock.take('nut', 1)});
	ok($wires->poll(4, q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'ledger_internal.skip'::regclass AND NOT granted}), 'a block waits for who begins to take a state');
	$session->query_safe('COMMIT');
	$session->quit;
}
ok($wires->poll(4, q{SELECT waits_for ~ '^member3 to show the state after block [0-9]+, with telco_ledger.show_state on there' FROM ledger.state_take WHERE done_at IS NULL}), 'it is waited for');
sleep 3;
is($wires->sql(3, 'SELECT (SELECT count(*) FROM ledger_internal.asked_state), (SELECT count(*) FROM ledger_internal.shown_piece)'), '0|0', 'the question is not even noted');
is($wires->sql(4, "SELECT state FROM ledger.outcome('$held')"), 'waiting', 'and the block is not applied');
$wires->sql(4, 'SELECT ledger.cancel_take()');
is($wires->sql(4, "SELECT state FROM ledger.outcome('$held', '$wait')"), 'done', 'but as soon as that is cancelled');
stopped(4, '', 'as nothing was wrong before');
$wires->sql(4, "SELECT ledger.take_state('a trial', 'member3', 1)");
show(3, 'on');
not_from(3, 'cannot be that state: it is larger than max_mb of ledger.take_state\(\) allows');
$wires->sql(4, "SELECT ledger.take_state('a trial with enough', 'member3')");
stopped(4, '', 'then it is shown');
is($wires->sql(4, 'SELECT reason, source FROM ledger.state_take ORDER BY asked_at DESC LIMIT 1'), 'a trial with enough|member3', 'by the one who was asked');
same_tables('and is the same');

# It takes longer to write than a question waits for; and has what shared rows may not have.
is(done(1, "grow('deep')", 4), 'done', 'a row with deep JSON and many elements');
checkpoint_known('it is in a checkpoint');
{
	my @locks = map { $wires->node($_)->background_psql('postgres') } (1 .. 3);

	$_->query_safe('BEGIN; LOCK TABLE stock.rare IN ACCESS EXCLUSIVE MODE') foreach (@locks);
	$wires->sql(4, "SELECT ledger.take_state('what takes long')");
	ok($wires->poll(4, 'SELECT height IS NOT NULL FROM ledger.state_take WHERE done_at IS NULL'), 'it is asked for');
	usleep(16_500_000);
	is($wires->sql(4, 'SELECT received FROM ledger.state_take WHERE done_at IS NULL'), '0', 'and being written');
	$_->quit foreach (@locks);
}
stopped(4, '', 'it comes nevertheless');
{
	my $at = $wires->sql(4, 'SELECT max(height) FROM ledger.state_take');

	is((join ' ', map { $wires->sql($_, "SELECT count(*) FROM ledger_internal.asked_state WHERE height = $at") } (1 .. 3)) =~ tr/1//, 1, 'from the one who was asked first');
}
same_tables('with what shared rows may not have');

# One is taken as soon as another one is.
$wires->sql(4, q{DO $$ BEGIN
	PERFORM ledger.take_state('the first');
	COMMIT;
	WHILE EXISTS (SELECT FROM ledger.state_take WHERE done_at IS NULL) LOOP PERFORM pg_sleep(0.002); END LOOP;
	PERFORM ledger.take_state('the second');
END $$});
stopped(4, '', 'two states, one behind the other');
is($wires->sql(4, q{SELECT count(*) FROM ledger.state_take WHERE reason IN ('the first', 'the second') AND done_at IS NOT NULL}), '2', 'are taken');

# A member whose own STATE row is wrong takes the state of that very block, of which only a header tells.
change(4, q{UPDATE stock.item SET left_over = 5 WHERE name = 'nut'});
done(1, "take('nut', 1)");
stopped(4, 'diverged', 'member 4 has stated what is wrong');
my $stated = $wires->sql(4, 'SELECT applied_height FROM ledger.status');
is(done(1, "take('nut', 1)"), 'done', 'the next block names the checkpoint');
checkpoint_known('and there is one above it');
$wires->sql(4, "BEGIN; DELETE FROM ledger_internal.checkpoint WHERE height >= $stated; SELECT ledger.take_state('a wrong STATE row'); COMMIT");
stopped(4, '', 'the state of that block is taken');
is($wires->sql(4, 'SELECT height FROM ledger.state_take ORDER BY asked_at DESC LIMIT 1'), $stated, 'without a certificate');
same_tables('and is that of the others');
is(done(1, "take('nut', 1)", 4), 'done', 'calls are executed');
checkpoint_known('up to a checkpoint');
stopped(4, '', 'which agrees');

# A newcomer executes the blocks up to the last new version, and none of the calls behind it.
deploy($wires, 1, 'stock', q{ALTER TABLE item ADD COLUMN place integer NOT NULL DEFAULT 7; UPDATE item SET place = 8 WHERE name = 'nut'});
approve($wires, 'stock', 2, 3);
ok($wires->poll($_, q{SELECT count(*) FROM ledger.contract WHERE version = 2 AND state = 'deployed'}, '1'), "a new version at member $_") foreach (@members);
my $version_at = $wires->sql(1, 'SELECT since_height FROM ledger.contract WHERE version = 2');
my $old = $wires->sql(1, q{SELECT stock.take('nut', 1)});
is($wires->sql(2, "SELECT state FROM ledger.outcome('$old', '$wait')"), 'done', 'and a call of it');
checkpoint_known('a checkpoint that the next blocks name', 1);
my $newcomer = $wires->add_newcomer;
lose_certificates($newcomer);
$wires->invite(1, $newcomer);
$wires->sql($newcomer, "BEGIN; SELECT ledger.join('$wires->{invitations}[$newcomer]', 'member$newcomer', '" . $wires->address($newcomer) . "'); SELECT ledger.take_state('a newcomer', 'member2'); COMMIT");
$wires->admit([$newcomer], 1, 2, 3);
stopped($newcomer, '', 'the newcomer has taken the state');
is($wires->sql($newcomer, 'SELECT count(*) FROM ledger_internal.checkpoint'), '0', 'of a checkpoint that a header names, as after a change of the members on an idle ledger');
push @members, $newcomer;
ok($wires->poll($newcomer, 'SELECT applied_height = height FROM ledger.status'), 'and applies blocks');

# Without a certificate the root in the header is what the state that was taken is compared with.
{
	my $at = $wires->sql($newcomer, 'SELECT height FROM ledger.state_take');
	my $differs = "state_changed||$at|The state of this node after the block is not the one that a later block names.";
	my $root = $wires->sql($newcomer, "SELECT state_root FROM ledger_internal.state WHERE height = $at");
	my $write = "UPDATE ledger_internal.state SET state_root = '%s' WHERE height = $at";

	is(problems($newcomer), '', 'nothing is wrong with what the newcomer has');
	$wires->sql($newcomer, sprintf $write, '\x' . '00' x 32);
	like(problems($newcomer), qr/^\Q$differs\E$/m, 'ledger.verify knows the root of what was taken');
	like($wires->sql($newcomer, q{SELECT kind, relation, height, detail FROM ledger.verify('stock.item')}), qr/^\Q$differs\E$/m, 'also of one table');
	$wires->sql($newcomer, sprintf $write, $root);
	$wires->sql($newcomer, q{BEGIN; INSERT INTO ledger_internal.apply_stop (height, reason) SELECT height, 'diverged' FROM ledger_internal.applied; SELECT ledger.recompute_state(); COMMIT});
	is(problems($newcomer), '', 'set hashes are computed again');
	$wires->sql($newcomer, sprintf $write, '\x' . '00' x 32);
	is(problems($newcomer), $differs, 'and that root is not forgotten then');
	$wires->sql($newcomer, sprintf $write, $root);
}
keep_certificates($newcomer);
same_tables('it has the rows of the others');
is($wires->sql($newcomer, "SELECT unknown_after, height > unknown_after, done_at IS NOT NULL FROM ledger.state_take"), "$version_at|t|t", 'blocks up to the new version were executed');
is($wires->sql($newcomer, "SELECT count(*) > 0, max(height) <= $version_at FROM ledger.call_outcome"), 't|t', 'and no call behind it');
is($wires->sql($newcomer, "SELECT state FROM ledger.outcome('$old')"), 'unknown', 'of which it says so');
is(done(1, "take('nut', 1)", $newcomer), 'done', 'new calls are executed there');
same_tables('with the same result');
is(problems($newcomer), '', 'and nothing is wrong');

done_testing();
