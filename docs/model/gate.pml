/* The life of one coupon: gate, outbox, relay, log, consumer, store; what Redis can lose; how the gate recovers.
   Read README.md first. Names in capitals that are not defined here come from `check`. */

#define USERS 3
#define SEQUENCES 8   /* numbers are below this */
#define EPOCHS 5
#define FENCED 16     /* a state's epoch while it recovers is FENCED + the token of that attempt */
#define NOBODY 9

#ifndef STOCK
#define STOCK 2
#endif
#ifndef LOG_MAX
#define LOG_MAX 4     /* events the consumer has not saved; a relay waits while the log is full */
#endif
#ifndef APIS
#define APIS 2
#endif
#ifndef RELAYS
#define RELAYS 1
#endif
#ifndef CONSUMERS
#define CONSUMERS 1
#endif
#ifndef ASKS
#define ASKS 4
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef SNAPSHOTS
#define SNAPSHOTS 0
#endif
#ifndef API_CRASHES
#define API_CRASHES 0
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef RELAY_CRASHES
#define RELAY_CRASHES 0
#endif
#ifndef COORDINATOR_CRASHES
#define COORDINATOR_CRASHES 0
#endif
#ifndef COORDINATORS
#define COORDINATORS 1
#endif
#ifndef TAKEOVERS
#define TAKEOVERS 0   /* how often a second one begins while the first only hangs */
#endif

/* What Redis holds of the coupon. The outbox is a set of holders. */
typedef Coupon {
  byte epoch;      /* 0: there is none */
  byte was;        /* the epoch it had before it was fenced */
  byte sequence;
  byte published;
  byte persisted;
  byte held[USERS];
  bit out[USERS];
}
typedef Event { byte user; byte sequence; byte epoch }
typedef Process {
  byte server;           /* it is connected to, or NOBODY */
  byte epoch;            /* of its catalog */
  byte gate;             /* of its catalog: the identity that is trusted */
  byte recorded_for;        /* the epoch it last recorded for */
  byte told[USERS];      /* claims it was told of, not known to be in the store */
  byte told_epoch;       /* theirs */
  byte reply;            /* what it is about: 0 nothing, 1 received, 2 remembered */
  byte user; byte sequence; byte claimed;
  bit cut;               /* it reaches the store no longer */
  bit late;              /* a recovery went on without it: what it was told before, it no longer answers */
}

Coupon server[2];         /* the master and a replica, or the memory and the disk of a single server */
byte master;
byte identity[2];        /* run_id/master_replid */
byte last_token;
byte recoveries;         /* coordinators at work */
byte takeovers = TAKEOVERS;
byte last_identity = 2;
bit two_masters;         /* the old master is still up */

byte row[USERS];         /* store: user_coupon, 0 is no row */
byte epoch = 1, gate = 1, settled = 1;  /* store: coupon */
byte recovered[USERS];   /* store: what the last settled recovery knew */
byte recorded[USERS];     /* store: what processes remember, for the recovery under way */
byte late_claim[USERS];  /* store: events of an epoch before the coupon's, not decided yet */
byte late_epoch[USERS];  /* theirs */
byte position;           /* store: log_position, of the first event in `events` */
Event events[LOG_MAX];
byte events_count;

Process api[APIS];

byte asks = ASKS, losses = LOSSES, snapshots = SNAPSHOTS, api_crashes = API_CRASHES, cuts = CUTS;
#ifdef LOG_IN_MEMORY
byte log_losses = 1;
#endif
byte relay_crashes = RELAY_CRASHES, coordinator_crashes = COORDINATOR_CRASHES;

/* What the world saw; no process reads it. */
bit asked[USERS];
byte acked[USERS];       /* the sequence promised to the user; a loss within the limits takes it back */
byte acked_epoch[USERS];
byte logged[EPOCHS];     /* sequences the log has had in each epoch, one bit each */

byte i, j, n;            /* scratch of d_steps, always left at 0 */

#define EACH_USER(i) for (i : 0 .. USERS - 1)
#define up(s) ((s) == master || two_masters)
#define trusted(s) (up(s) && identity[s] == gate && server[s].epoch == epoch)

/* The claim script. Result in `q`: 0 is refused. */
inline claim(at_server, user_id, result) {
  asked[user_id] = 1;
  result = server[at_server].held[user_id];
  n = 0;
  for (i : 0 .. USERS - 1) { n = n + (server[at_server].held[i] != 0) }
  if
  :: result == 0 && n < STOCK ->
     server[at_server].sequence++;
     result = server[at_server].sequence;
     server[at_server].held[user_id] = result;
     server[at_server].out[user_id] = 1
  :: else
  fi;
  i = 0; n = 0
}

/* watermark.lua: raises a watermark, and what is persisted leaves the outbox. */
#ifdef WATERMARK_OF_ANY_EPOCH
#define markable(s, e) (server[s].epoch != 0)
#else
#define markable(s, e) (server[s].epoch == (e))
#endif
inline mark_published(at_, sequence_, epoch_) {
  if
  :: markable(at_, epoch_) && server[at_].published < sequence_ -> server[at_].published = sequence_
  :: else
  fi
}
inline mark_persisted(at_, sequence_, epoch_) {
  if
  :: markable(at_, epoch_) && server[at_].persisted < sequence_ ->
     server[at_].persisted = sequence_;
     /* The API processes learn it at once: the worst case, since they forget what is in the store. */
     for (j : 0 .. APIS - 1) {
       for (i : 0 .. USERS - 1) {
         if
         :: api[j].told_epoch == server[at_].epoch && api[j].told[i] <= sequence_ -> api[j].told[i] = 0
         :: else
         fi
       }
     }
     j = 0;
     for (i : 0 .. USERS - 1) {
       if
       :: server[at_].held[i] <= sequence_ -> server[at_].out[i] = 0
       :: else
       fi
     }
     i = 0
  :: else
  fi
}

inline copy_state(from_, to_) {
  server[to_].epoch = server[from_].epoch;
  server[to_].was = server[from_].was;
  server[to_].sequence = server[from_].sequence;
  server[to_].published = server[from_].published;
  server[to_].persisted = server[from_].persisted;
  for (i : 0 .. USERS - 1) {
    server[to_].held[i] = server[from_].held[i];
    server[to_].out[i] = server[from_].out[i]
  }
  i = 0
}
inline clear_state(at_) {
  server[at_].epoch = 0;
  server[at_].was = 0;
  server[at_].sequence = 0;
  server[at_].published = 0;
  server[at_].persisted = 0;
  for (i : 0 .. USERS - 1) {
    server[at_].held[i] = 0;
    server[at_].out[i] = 0
  }
  i = 0
}
inline cut_connections(at_) {
  for (i : 0 .. APIS - 1) {
    if
    :: api[i].server == at_ -> api[i].server = NOBODY
    :: else
    fi
  }
  i = 0
}
inline forget_claims(process_) {
  for (i : 0 .. USERS - 1) { api[process_].told[i] = 0 }
  i = 0
}

/* Appends to the log. Within an epoch a sequence that is new to it is above all that were there. */
inline append(user_, sequence_, epoch_) {
  assert(asked[user_]);
#ifdef ORDER
  assert((logged[epoch_] & (1 << sequence_)) || (logged[epoch_] >> sequence_) == 0);
  assert(epoch_ != 1 || sequence_ == 1 || (logged[epoch_] & (1 << (sequence_ - 1))));
  logged[epoch_] = logged[epoch_] | (1 << sequence_);
#endif
  events[events_count].user = user_;
  events[events_count].sequence = sequence_;
  events[events_count].epoch = epoch_;
  events_count++
}
inline pop() {
  for (i : 0 .. LOG_MAX - 2) {
    events[i].user = events[i + 1].user;
    events[i].sequence = events[i + 1].sequence;
    events[i].epoch = events[i + 1].epoch
  }
  events[LOG_MAX - 1].user = 0;
  events[LOG_MAX - 1].sequence = 0;
  events[LOG_MAX - 1].epoch = 0;
  events_count--;
#if CONSUMERS > 1
  position = (position + 1) % 8;
#endif
  i = 0
}

/* INSERT ... ON CONFLICT (coupon, user) DO NOTHING. Another user's sequence would be evidence of over-issue. */
inline insert_row(user_, sequence_) {
  if
  :: row[user_] == 0 ->
     assert(asked[user_]);
     n = 1;
     for (i : 0 .. USERS - 1) {
       assert(row[i] != sequence_);
       n = n + (row[i] != 0)
     }
     assert(n <= STOCK);
     row[user_] = sequence_;
     i = 0; n = 0
  :: else
  fi
}

inline acknowledge(user_, sequence_, epoch_) {
  assert(acked[user_] == 0 || acked[user_] == sequence_);
  n = 0;
  for (i : 0 .. USERS - 1) {
    assert(i == user_ || acked[i] != sequence_ || acked_epoch[i] != epoch_);
    n = n + (i == user_ || acked[i] != 0)
  }
  assert(n <= STOCK);
  acked[user_] = sequence_;
  acked_epoch[user_] = epoch_;
  i = 0; n = 0
}

#ifdef NO_FENCE
#define may_claim(p) (api[p].server != NOBODY && server[api[p].server].epoch < FENCED)
#else
#define may_claim(p) (api[p].server != NOBODY && identity[api[p].server] == api[p].gate && \
  server[api[p].server].epoch == api[p].epoch)
#endif
inline finish(process_) {
  api[process_].reply = 0; api[process_].user = 0; api[process_].sequence = 0; api[process_].claimed = 0
}
inline remember(process_) {
  if
#ifndef PLAIN_UNION
  :: api[process_].told_epoch < api[process_].claimed -> forget_claims(process_)
#endif
  :: else
  fi;
  api[process_].told_epoch = api[process_].claimed;
  api[process_].told[api[process_].user] = api[process_].sequence
}

proctype Api(byte p) {
  byte q;
end:
  do
#ifdef SENTINEL
  :: api[p].server != master -> api[p].server = master
#endif
  :: d_step {
       !api[p].cut && (api[p].epoch != epoch || api[p].gate != gate || api[p].late) ->
       api[p].epoch = epoch;
       api[p].gate = gate;
       api[p].late = 0;
       if
       :: api[p].told[0] == 0 && api[p].told[1] == 0 && api[p].told[2] == 0 -> api[p].recorded_for = epoch
       :: else
       fi
     }
  :: d_step {  /* one transaction: what it remembers, for the recovery to the epoch its catalog names */
       !api[p].cut && api[p].recorded_for < api[p].epoch && api[p].epoch == epoch ->
       if
       :: api[p].epoch > settled ->
          EACH_USER(i) {
            if
#ifdef PLAIN_UNION
            :: api[p].told[i] != 0 -> recorded[i] = api[p].told[i]
#elif defined RECORDED_IN_GATE
            :: api[p].told[i] != 0 && api[p].told_epoch == settled && api[p].server == master -> recorded[i] = api[p].told[i]
#else
            :: api[p].told[i] != 0 && api[p].told_epoch == settled -> recorded[i] = api[p].told[i]
#endif
            :: else
            fi
          }
       :: else
       fi;
       api[p].recorded_for = api[p].epoch;
       i = 0
     }
  :: atomic {
       api[p].reply == 0 && asks > 0 && may_claim(p) && (p == 0 || asked[0]) ->
       if
       :: api[p].user = 0
       :: asked[0] -> api[p].user = 1
       :: asked[1] -> api[p].user = 2
       fi;
       d_step {
         asks--;
         claim(api[p].server, api[p].user, q);
         if
         :: q == 0 -> api[p].user = 0  /* sold out */
         :: else ->
            api[p].reply = 1;
            api[p].sequence = q;
            api[p].claimed = api[p].epoch
         fi;
         q = 0
       }
     }
#ifdef CHECK_BEFORE_REMEMBERING
  :: d_step {
       api[p].reply == 1 ->
       if
       :: api[p].claimed == api[p].epoch && !api[p].late -> api[p].reply = 2
       :: else -> finish(p)
       fi
     }
  :: d_step {
       api[p].reply == 2 ->
       remember(p);
       acknowledge(api[p].user, api[p].sequence, api[p].claimed);
       finish(p)
     }
#else
  :: d_step {  /* remember, then answer, if the catalog names the epoch of the claim */
       api[p].reply == 1 ->
       if
       :: api[p].claimed == api[p].epoch && !api[p].late ->
          remember(p);
#ifdef THREADS
          api[p].reply = 2
#else
          acknowledge(api[p].user, api[p].sequence, api[p].claimed);
          finish(p)
#endif
       :: else -> finish(p)  /* 503 */
       fi
     }
  :: d_step {  /* other threads have seen a catalog in between */
       api[p].reply == 2 ->
       if
       :: api[p].claimed == api[p].epoch && !api[p].late ->
          acknowledge(api[p].user, api[p].sequence, api[p].claimed)
       :: else  /* 503 */
       fi;
       finish(p)
     }
#endif
  :: d_step {
       api_crashes > 0 ->
       api_crashes--;
       forget_claims(p);
       api[p].told_epoch = 0;
       finish(p);
       api[p].server = master;
       api[p].cut = 0;
       api[p].late = 0;
       api[p].epoch = epoch;
       api[p].gate = gate;
       api[p].recorded_for = epoch
     }
  :: d_step { cuts > 0 && !api[p].cut -> cuts--; api[p].cut = 1 }
  :: api[p].cut -> api[p].cut = 0
  od
}

/* The relay reads the next entry, appends it to the log, and raises the watermark. Held for long in between, it is a late one. */
typedef Relaying { byte phase; byte at; byte user; byte sequence; byte epoch }
Relaying relay[RELAYS];

#define due(s, u) (server[s].out[u] && server[s].held[u] > server[s].published)
inline forget_event(relay_) {
  relay_.phase = 0; relay_.at = 0; relay_.user = 0; relay_.sequence = 0; relay_.epoch = 0
}
inline read_outbox(relay_, at_) {
  relay[relay_].phase = 1;
  relay[relay_].at = at_;
  relay[relay_].epoch = server[at_].epoch;
  relay[relay_].sequence = SEQUENCES;
  EACH_USER(i) {
    if
    :: due(at_, i) && server[at_].held[i] < relay[relay_].sequence ->
       relay[relay_].user = i;
       relay[relay_].sequence = server[at_].held[i]
    :: else
    fi
  }
  i = 0
}
#define readable(s) (up(s) && server[s].epoch < FENCED && (due(s, 0) || due(s, 1) || due(s, 2)))

proctype Relay(byte r) {
end:
  do
  :: d_step { relay[r].phase == 0 && readable(0) -> read_outbox(r, 0) }
  :: d_step { relay[r].phase == 0 && readable(1) -> read_outbox(r, 1) }
  :: d_step {
       relay[r].phase == 1 && events_count < LOG_MAX ->
       append(relay[r].user, relay[r].sequence, relay[r].epoch);
#ifdef SPLIT_MARKS
       relay[r].phase = 2
#else
       mark_published(relay[r].at, relay[r].sequence, relay[r].epoch);
       forget_event(relay[r])
#endif
     }
  :: d_step {
       relay[r].phase == 2 ->
       mark_published(relay[r].at, relay[r].sequence, relay[r].epoch);
       forget_event(relay[r])
     }
  :: d_step { relay[r].phase != 0 && relay_crashes > 0 -> relay_crashes--; forget_event(relay[r]) }
  od
}

/* The consumer reads the first event, saves it in one transaction, raises the watermark. One of an older epoch becomes a late claim. */
typedef Consuming { byte phase; byte user; byte sequence; byte epoch; byte expected; byte catalog }
Consuming consumer[CONSUMERS];

inline done(consumer_) {
  consumer[consumer_].phase = 0; consumer[consumer_].user = 0; consumer[consumer_].sequence = 0; consumer[consumer_].epoch = 0;
  consumer[consumer_].expected = 0; consumer[consumer_].catalog = 0
}
inline read_event(consumer_) {
  consumer[consumer_].phase = 1;
  consumer[consumer_].user = events[0].user;
  consumer[consumer_].sequence = events[0].sequence;
  consumer[consumer_].epoch = events[0].epoch;
  consumer[consumer_].expected = position;
  consumer[consumer_].catalog = epoch
}
#define is_late(c) (consumer[c].epoch < consumer[c].catalog)
/* One place for each user: a second one waits until the first is decided. */
#define has_place(u, s_) (late_claim[u] == 0 || late_claim[u] == (s_))
inline keep_late(user_, sequence_, epoch_) {
  late_claim[user_] = sequence_;
  late_epoch[user_] = epoch_
}
inline mark_saved(consumer_, at_) {
  mark_persisted(at_, consumer[consumer_].sequence, consumer[consumer_].epoch)
}
#define max(a, b) ((a) > (b) -> (a) : (b))
#define last_row max(row[0], max(row[1], row[2]))
#define position_fence(c) (position == consumer[c].expected)
#ifdef NO_EPOCH_CHECK_IN_SAVE
#define epoch_fence(c) true
#else
#define epoch_fence(c) (epoch == consumer[c].catalog)
#endif

proctype Consumer(byte c) {
  byte q;
end:
  do
  :: d_step {
       consumer[c].phase == 0 && events_count > 0 && (events[0].epoch == epoch || has_place(events[0].user, events[0].sequence)) ->
       read_event(c);
#ifdef TRIM_BEFORE_COMMIT
       mark_saved(c, master)
#endif
     }
#ifdef OFFSET_FIRST
  :: d_step { consumer[c].phase == 1 && position_fence(c) -> pop(); consumer[c].phase = 3 }
  :: d_step {
       consumer[c].phase == 3 ->
       insert_row(consumer[c].user, consumer[c].sequence);
       done(c)
     }
  :: d_step { consumer[c].phase == 3 -> done(c) }
#else
  :: d_step {
       consumer[c].phase == 1 && position_fence(c) && epoch_fence(c) ->
       pop();
       if
       :: is_late(c) ->
          keep_late(consumer[c].user, consumer[c].sequence, consumer[c].epoch);
          done(c)
       :: else ->
          insert_row(consumer[c].user, consumer[c].sequence);
#ifdef SPLIT_MARKS
          consumer[c].phase = 2
#else
          done(c)
#endif
       fi
     }
#endif
  :: d_step { consumer[c].phase == 1 && !(position_fence(c) && epoch_fence(c)) -> done(c) }
  :: d_step { consumer[c].phase == 2 -> mark_saved(c, master); done(c) }
  :: d_step { consumer[c].phase == 2 -> done(c) }  /* it dies */
  :: d_step {  /* repair, after such a death */
       consumer[c].phase == 0 && trusted(master) && server[master].persisted < last_row &&
       server[master].persisted < server[master].published ->
       q = last_row;
       mark_persisted(master, q, epoch);
       q = 0
     }
  od
}

/* Decides a late claim by what the gate says; the row goes with a check of the epoch in which the gate was asked. */
proctype Decider() {
  byte phase, user, catalog, q;
end:
  do
  :: atomic {
       phase == 0 && trusted(master) && (late_claim[0] != 0 || late_claim[1] != 0 || late_claim[2] != 0) ->
       if
       :: late_claim[0] != 0 -> user = 0
       :: late_claim[1] != 0 -> user = 1
       :: late_claim[2] != 0 -> user = 2
       fi;
       d_step {
         catalog = epoch;
         q = server[master].held[user];
         if
         :: q == 0 -> claim(master, user, q)  /* issued: its own event comes; refused: superseded */
         :: q != 0 && q == late_claim[user] -> phase = 1
         :: else  /* its own event comes */
         fi;
         if
         :: phase == 0 -> keep_late(user, 0, 0); user = 0; catalog = 0
         :: else
         fi;
         q = 0
       }
     }
  :: d_step {
       phase == 1 ->
       if
       :: epoch == catalog ->
          insert_row(user, late_claim[user]);
          keep_late(user, 0, 0)
       :: else  /* recovered meanwhile: it is asked for again */
       fi;
       phase = 0; user = 0; catalog = 0
     }
  od
}

/* Recovery, step by step as decision 0007 numbers them. A coordinator may stand still before any step, and another take over. */
#define recorded_or_cut(p) (api[p].cut || api[p].recorded_for >= to)

inline add(user_, sequence_) {
  if
  :: known[user_] == 0 && sequence_ != 0 -> known[user_] = sequence_
  :: else
  fi
}

#ifdef FENCE_ANYWAY
#define may_fence true
#else
#define may_fence (epoch == to)
#endif
#ifdef SETTLE_ANYWAY
#define may_settle true
#else
#define may_settle (epoch == to)
#endif
#define holds_token (up(at) && identity[at] == id && server[at].epoch == FENCED + token)

proctype Coordinator() {
  byte phase, to, at, id, seen, token, first, highest;
  byte known[USERS], saved[USERS];
end:
  do
  :: d_step {  /* the gate's epoch, then the row: what the two steps after this compare with */
       phase == 0 && !trusted(master) && (recoveries == 0 || takeovers > 0) ->
       if
       :: recoveries > 0 -> takeovers--
       :: else
       fi;
       recoveries++;
       to = epoch;
       at = master;
       id = identity[master];
       seen = server[at].epoch;
       phase = 1
     }
  :: d_step {  /* 1: shut the gate */
       phase == 1 ->
       if
       :: up(at) && identity[at] == id && server[at].epoch == seen ->
          if
          :: server[at].epoch < FENCED -> server[at].was = server[at].epoch
          :: else
          fi;
          last_token++;
          token = last_token;
          server[at].epoch = FENCED + token;
          phase = 8
       :: else -> phase = 6
       fi
     }
  :: d_step {  /* 2: fence the store */
       phase == 8 ->
       if
       :: may_fence ->
          to++;
          epoch = to;
          gate = id;
          phase = 2
       :: else -> phase = 6
       fi
     }
  :: d_step {  /* 3: wait */
       phase == 2 && recorded_or_cut(0) && recorded_or_cut(APIS - 1) ->
       for (i : 0 .. APIS - 1) {
         if
#ifndef NO_LEASE
         :: api[i].recorded_for < to -> api[i].late = 1
#endif
         :: else
         fi
       }
       i = 0;
       phase = 3
     }
  :: d_step {  /* 4: rows and what survived */
       phase == 3 ->
       EACH_USER(i) {
#ifdef LATE_BEFORE_LOG
         if
         :: late_epoch[i] == settled -> add(i, late_claim[i])
         :: else
         fi;
#endif
         saved[i] = row[i];
         add(i, row[i]);
         add(i, recovered[i])
       }
       if
       :: !holds_token -> phase = 6
#ifdef PLAIN_UNION
       :: holds_token ->
#else
       :: holds_token && server[at].was != settled -> phase = 4
       :: holds_token && server[at].was == settled ->
#endif
          EACH_USER(i) { add(i, server[at].held[i]) }
          phase = 4
       fi;
       i = 0
     }
  :: d_step {  /* 4: the log */
       phase == 4 ->
       for (i : 0 .. LOG_MAX - 1) {
         if
#ifdef PLAIN_UNION
         :: i < events_count -> add(events[i].user, events[i].sequence)
#else
         :: i < events_count && events[i].epoch == settled -> add(events[i].user, events[i].sequence)
#endif
         :: else
         fi
       }
       i = 0;
       phase = 5
     }
  :: d_step { phase == 5 && !may_settle -> phase = 6 }
  :: d_step {  /* 4: late claims and records, and one transaction that settles what was known */
       phase == 5 && may_settle ->
       EACH_USER(i) {
#ifndef LATE_BEFORE_LOG
         if
         :: late_epoch[i] == settled -> add(i, late_claim[i])
         :: else
         fi;
#endif
#ifndef NO_RECORDING
         add(i, recorded[i]);
#endif
         recorded[i] = 0
       }
       n = 0; highest = 0; first = SEQUENCES;
       EACH_USER(i) {
         if
         :: acked[i] != 0 && acked[i] != known[i] ->
            /* Lost. That may be if the store has no late claim of it, and no process that took part remembers it. */
            assert(late_claim[i] != acked[i] || late_epoch[i] != acked_epoch[i]);
            for (j : 0 .. APIS - 1) {
              assert(api[j].recorded_for != to || api[j].told_epoch != acked_epoch[i] || api[j].told[i] != acked[i])
            }
            j = 0;
            acked[i] = 0;
            acked_epoch[i] = 0
         :: else
         fi;
         n = n + (known[i] != 0);
         highest = max(highest, known[i]);
         if
         :: known[i] != 0 && saved[i] == 0 && known[i] < first -> first = known[i]
         :: else
         fi;
#ifndef PLAIN_UNION
         recovered[i] = known[i]
#endif
       }
       if
       :: first == SEQUENCES -> first = highest + 1
       :: else
       fi;
       assert(n <= STOCK);
       assert(known[0] == 0 || (known[0] != known[1] && known[0] != known[2]));
       assert(known[1] == 0 || known[1] != known[2]);
       settled = to;
#ifndef PLAIN_UNION
       /* What is remembered of older epochs no longer counts. */
       for (j : 0 .. APIS - 1) {
         forget_claims(j);
         api[j].told_epoch = 0
       }
       j = 0;
#endif
       i = 0; n = 0;
       phase = 7
     }
  :: d_step {  /* 5 and 6: write and open */
       phase == 7 ->
       if
       :: holds_token ->
          EACH_USER(i) {
            server[at].held[i] = known[i];
            server[at].out[i] = known[i] != 0 && saved[i] == 0
          }
          i = 0;
          server[at].sequence = highest;
          server[at].published = first - 1;
          server[at].persisted = first - 1;
          server[at].was = 0;
          server[at].epoch = to
       :: else
       fi;
       phase = 6
     }
  :: d_step { phase != 0 && phase != 6 && coordinator_crashes > 0 -> coordinator_crashes--; phase = 6 }
  :: d_step {
       phase == 6 ->
       phase = 0; to = 0; at = 0; id = 0; seen = 0; token = 0; first = 0; highest = 0;
       recoveries--;
       EACH_USER(i) { known[i] = 0; saved[i] = 0 }
       i = 0
     }
  od
}

#define other (1 - master)
/* Nothing will be read from it again. */
inline forget_disk() {
  if
  :: losses == 0 -> clear_state(other)
  :: else
  fi
}

proctype Faults() {
end:
  do
  :: d_step {  /* what is written so far reaches the disk, or the replica; an old master becomes the replica */
       snapshots > 0 && losses > 0 ->
       snapshots--;
       two_masters = 0;
       identity[other] = 0;
       cut_connections(other);
       copy_state(master, other)
     }
#ifdef SENTINEL
  :: d_step {  /* failover: the old master does not know yet */
       losses > 0 && !two_masters ->
       losses--;
       master = other;
       last_identity++;
       identity[master] = last_identity;
       two_masters = 1
     }
#else
  :: d_step {  /* restart with what the disk has */
       losses > 0 ->
       losses--;
       last_identity++;
       identity[master] = last_identity;
       cut_connections(master);
       copy_state(other, master);
       forget_disk()
     }
  :: d_step {  /* restart with nothing */
       losses > 0 ->
       losses--;
       last_identity++;
       identity[master] = last_identity;
       cut_connections(master);
       clear_state(master);
       forget_disk()
     }
  :: d_step { losses > 0 -> losses--; clear_state(master); forget_disk() }  /* FLUSHALL: identity and connections stay */
#endif
#ifdef LOG_IN_MEMORY
  :: d_step {  /* relay and consumer die with the log; the next relay begins where the store ends */
       log_losses > 0 ->
       log_losses--;
       for (i : 0 .. LOG_MAX - 1) { events[i].user = 0; events[i].sequence = 0; events[i].epoch = 0 }
       i = 0;
       events_count = 0;
       forget_event(relay[0]);
       done(0);
       server[master].published = server[master].persisted;
       logged[epoch] = 0
     }
#endif
  od
}

/* When nothing can happen any more, all that was promised is there, and the gate is open and agrees. */
proctype Judge() {
end:
  timeout ->
  assert(trusted(master) && events_count == 0);
  assert(late_claim[0] == 0 && late_claim[1] == 0 && late_claim[2] == 0);
  EACH_USER(i) {
    assert(acked[i] == 0 || row[i] == acked[i]);
    assert(row[i] == server[master].held[i])
  }
}

init {
  d_step {
    identity[0] = 1;
    server[0].epoch = 1;
    server[1].epoch = 1;
    for (i : 0 .. APIS - 1) {
      api[i].epoch = 1;
      api[i].gate = 1;
      api[i].recorded_for = 1
    }
    i = 0
  }
  atomic {
    for (i : 0 .. APIS - 1) { run Api(i) }
    for (i : 0 .. RELAYS - 1) { run Relay(i) }
    for (i : 0 .. CONSUMERS - 1) { run Consumer(i) }
    i = 0;
    for (i : 0 .. COORDINATORS - 1) { run Coordinator() }
    i = 0;
    run Decider();
    run Faults();
    run Judge()
  }
}
