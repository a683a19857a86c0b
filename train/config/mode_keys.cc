// SPDX-License-Identifier: Apache-2.0
// The keys of the sections that one mode of training reads.
#include "gossip/gossip_method.h"
#include "newton/newton_method.h"
#include "train/config/key_rows.h"

namespace gradwire::train {
namespace {

std::vector<std::string> GossipNames() {
  std::vector<std::string> names;
  for (const std::string_view name : GossipMethodNames()) names.emplace_back(name);
  return names;
}

std::vector<std::string> NewtonMethodNames() {
  std::vector<std::string> names;
  for (const NewtonMethod& method : NewtonMethods()) names.emplace_back(method.name);
  return names;
}

}  // namespace

std::vector<Key> LocalKeys() {
  using L = LocalConfig;
  constexpr auto kSection = &Config::local;
  return {
      Row("local.sync_every", kSection, &L::sync_every, AtLeast(1), "local steps from agreement to agreement"),
      Row("local.random", kSection, &L::random, Between(0, 1),
          "in place of sync_every: probability of an agreement after a step, by one coin for all ranks; 0: sync_every"),
      Row("local.start_iter", kSection, &L::start_iter, AtLeast(0),
          "the first steps, so many, are synchronous (post-local SGD)"),
      Row("local.outer_lr", kSection, &L::outer_lr, Above(0),
          "share of the ranks' mean difference that the agreed model takes"),
      Row("local.outer_momentum", kSection, &L::outer_momentum, Range{.min = 0, .max = 1, .open_max = true},
          "momentum of the agreed model (DiLoCo: 0.9)"),
      Row("local.outer_nesterov", kSection, &L::outer_nesterov, AnyValue{}, "Nesterov's form of it"),
      Row("local.shift", kSection, &L::shift, OneOf{{"none", "skip", "learn", "anchor"}},
          "what a rank subtracts from its gradients, against drift; skip: ProxSkip, and GradSkip with gradient_p; "
          "learn: its gradient at the agreed model less the mean, for a second exchange an agreement (SCAFFOLD); "
          "anchor: that at objective.estimator anchored's anchor (S-Local-SVRG)"),
      Row("local.anchor_p", kSection, &L::anchor_p, Between(0, 1),
          "probability that the anchor moves after a step, to the mean that the ranks had before it, for two "
          "exchanges; 1 / m is usual for m samples a rank"),
      Row("local.gradient_p", kSection, &L::gradient_p, Range{.min = 0, .max = 1},
          "GradSkip's q of the ranks, repeated where they are more: probability that a rank goes on computing after a "
          "step, else it rests until the next agreement; 1: ProxSkip"),
  };
}

std::vector<Key> GossipKeys() {
  using G = GossipConfig;
  constexpr auto kSection = &Config::gossip;
  return {
      Row("gossip.method", kSection, &G::method, OneOf{GossipNames()},
          "dgd: average with the neighbours and step; gradient_tracking: along an estimate of the mean gradient; "
          "push_sum: dgd on directed graphs; ad_psgd: asynchronous, in pairs, on a simulated clock (async.delay, "
          "async.speeds); choco: dgd of compressed differences; beer: gradient_tracking of them; "
          "motef: beer with a momentum; "
          "motef_vr: its momentum takes the same samples at two points"),
      Row("gossip.graph", kSection, &G::graph, NotEmpty{},
          "who are neighbours: ring, torus, complete, star, exponential, regular:K (random, with K neighbours of each, "
          "drawn from run.seed) or the path of a file of weights, n lines of n numbers, symmetric, with rows that add "
          "up to 1; push_sum also speaks one way: directed_ring, directed_exponential (i to i + 2^k), "
          "one_peer_exponential (to one of them a round, in turn), or a file whose columns add up to 1, row i being "
          "what worker i takes of each other one"),
      Row("gossip.weights", kSection, &G::weights, OneOf{{"auto", "metropolis", "uniform"}},
          "metropolis: 1 / (1 + the larger number of neighbours of the two), of a file only who are neighbours counts; "
          "uniform, of push_sum: 1 / (1 + how many hear the sender), of a file only who hears whom counts; auto: those "
          "of the file, else metropolis, of directed graphs uniform"),
      Row("gossip.gamma", kSection, &G::gamma, OrAuto{Range{.min = 0, .max = 1, .open_min = true}},
          "share of the difference to the neighbours that a worker takes in a round (0.1 to 0.9); auto: 1 where they "
          "get models as they are, else to be set"),
      Row("gossip.lambda", kSection, &G::lambda, OrAuto{Range{.min = 0, .max = 1, .open_min = true}},
          "share of the new gradient in a worker's momentum; auto: the method's, 0.1 of motef, else 1"),
      Row("gossip.opening", kSection, &G::opening, OneOf{{"zeros", "dense"}},
          "what neighbours know of each other at the start; dense: all tell model and direction as they are"),
      Row("gossip.evaluate", kSection, &G::evaluate, OneOf{{"average", "first"}},
          "the point that records are about; average: the mean of all models; first: rank 0's; `spread` beside it is "
          "the models' distance from their mean, the root of the mean square"),
  };
}

std::vector<Key> AsyncKeys() {
  using A = AsyncRunConfig;
  constexpr auto kSection = &Config::async;
  return {
      Row("async.assign", kSection, &A::assign, OneOf{{"pure", "random", "shuffled", "shuffle_once"}},
          "who gets the next job: who has finished; a random worker; the next one of a random permutation, drawn anew "
          "or once"),
      Row("async.wait_for", kSection, &A::wait_for, AtLeast(1), "jobs are handed out when so many have come back"),
      Row("async.max_staleness", kSection, &A::max_staleness, AtLeast(0),
          "gradients that are older, in applied ones, are dropped; 0: none"),
      Row("async.down", kSection, &A::down, NotEmpty{},
          "compressor spec of what brings the model to the workers; identity: the model; another one: its "
          "difference to the worker's copy"),
      Row("async.server", kSection, &A::server, OneOf{{"dedicated", "shared"}},
          "networks: whether rank 0 does nothing but serve, or is a worker as well"),
      Row("async.delay", kSection, &A::delay, OneOf{{"none", "fixed", "poisson", "normal", "uniform"}},
          "convex objectives: time a job takes on the simulated clock, of a worker of speed s: 1; s; Poisson(s); |N(s, "
          "s)| + 1; U(0, s) + 1; with async.speeds also of gossip.method ad_psgd"),
      Row("async.speeds", kSection, &A::speeds, Range{.min = 0, .max = 1e6, .open_min = true},
          "s of the workers, repeated where they are more, e.g. [1, 1, 1, 4]: one in four is four times slower"),
  };
}

std::vector<Key> NewtonKeys() {
  using N = NewtonConfig;
  constexpr auto kSection = &Config::newton;
  return {
      Row("newton.method", kSection, &N::method, OneOf{NewtonMethodNames()},
          "how a server comes to know Hessians and steps by them (`gradwire list newton`)"),
      Row("newton.map", kSection, &N::map, NotEmpty{},
          "what carries Hessians: a method of comm.method whose receivers keep an estimate (ef21, lag, clag, cbag, "
          "marina, adaptive_topk, 3pcv1, 3pcv2); auto: the method's"),
      Row("newton.compressor", kSection, &N::compressor, NotEmpty{},
          "compressor spec of the Hessians, d (d + 1) / 2 numbers of which those off the diagonal are times sqrt 2; "
          "auto: the method's"),
      Row("newton.learner", kSection, &N::learner, NotEmpty{},
          "compressor spec of a map's second operator (3pcv1, 3pcv2)"),
      Row("newton.alpha", kSection, &N::alpha, NotEmpty{},
          "share of a message that moves the estimate of a Hessian; auto: 1, with an unbiased operator 1 / (1 + "
          "omega)"),
      Row("newton.p", kSection, &N::p, NotEmpty{}, "the map's probability (cbag, marina); auto: the map's"),
      Row("newton.zeta", kSection, &N::zeta, NotEmpty{}, "of a lazy map (lag, clag); auto: the map's"),
      Row("newton.basis", kSection, &N::basis, OneOf{{"auto", "standard", "data", "positive"}},
          "in which Hessians are compressed; standard: their elements; data: of linear models, in a basis of each "
          "worker's samples, sent once, r (r + 1) / 2 numbers in place of d (d + 1) / 2; positive: of matrices that "
          "are "
          "positive semidefinite (bl3); auto: the method's"),
      Row("newton.init", kSection, &N::init, OneOf{{"hessian", "zero"}},
          "where the estimates begin: with the Hessians at the first point, sent whole, or with 0"),
      Row("newton.option", kSection, &N::option, OneOf{{"auto", "1", "2"}},
          "what the server steps by; 1: the estimate H with eigenvalues of at least newton.mu; 2: H + l I, l being the "
          "mean error of the workers' estimates; auto: the method's"),
      Row("newton.mu", kSection, &N::mu, OrAuto{AtLeast(0)}, "of option 1; auto: the problem's strong convexity"),
      Row("newton.cubic", kSection, &N::cubic, AtLeast(0), "M of cubic steps: a Lipschitz constant of the Hessian"),
      Row("newton.shrink", kSection, &N::shrink, Range{.min = 0, .max = 1, .open_min = true, .open_max = true},
          "of the step from trial to trial of a line search"),
      Row("newton.slope", kSection, &N::slope, Range{.min = 0, .max = 1, .open_min = true, .open_max = true},
          "share of the fall along the tangent that a line search asks of a step"),
      Row("newton.model", kSection, &N::model, NotEmpty{},
          "compressor spec of the server's points on their way to the workers; auto: the method's"),
      Row("newton.model_map", kSection, &N::model_map, NotEmpty{},
          "what carries them, as newton.map; auto: none for the identity, else ef21"),
      Row("newton.model_learner", kSection, &N::model_learner, NotEmpty{},
          "compressor spec of that map's second operator"),
      Row("newton.model_alpha", kSection, &N::model_alpha, NotEmpty{},
          "share of the server's message that moves the workers' point; auto: as newton.alpha"),
      Row("newton.gradient_p", kSection, &N::gradient_p, OrAuto{Range{.min = 0, .max = 1, .open_min = true}},
          "probability that a round has gradients; in others the server makes them of the last ones and the estimate; "
          "auto: the method's"),
      Row("newton.participation", kSection, &N::participation, NotEmpty{},
          "who takes part in a round, as comm.participation, with no weights: the others' last reports count; auto: "
          "the "
          "method's"),
  };
}

}  // namespace gradwire::train
