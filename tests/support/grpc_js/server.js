// A grpc-js server of test.Echo, the service of tests/support/echo.py.
//
// It prints its port and ends when its standard input does. The arguments are the seconds after which it closes an idle
// connection, and the seconds after which it closes any; 0 for never. Messages are JSON text.
'use strict';

const grpc = require('@grpc/grpc-js');

const json = {
  requestSerialize: (value) => Buffer.from(JSON.stringify(value)),
  requestDeserialize: (bytes) => JSON.parse(bytes.toString()),
  responseSerialize: (value) => Buffer.from(JSON.stringify(value)),
  responseDeserialize: (bytes) => JSON.parse(bytes.toString()),
};

const method = (name, responseStream = false) => ({
  path: `/test.Echo/${name}`, requestStream: false, responseStream, ...json,
});

let calls = {};
const count = (name) => { calls[name] = (calls[name] || 0) + 1; };

const say = (name) => (call, callback) => {
  count(name);
  const note = call.request;
  if (note.status) {
    callback({ code: note.status, details: note.message || '' });
  } else if (!note.hang) {
    callback(null, note.size ? { ...note, big: 'x'.repeat(note.size) } : note);
  }
};

const countTo = async (call) => {
  count('Count');
  const note = call.request;
  for (let n = 0; n < note.to && !call.cancelled; n += 1) {
    if (!call.write({ n })) {
      await new Promise((resolve) => { call.once('drain', resolve); call.once('cancelled', resolve); });
    }
  }
  if (note.status) {
    call.emit('error', { code: note.status, details: note.message || '' });
  } else if (!note.hang) {
    call.end();
  }
};

// Answers with the counters and starts them again.
const tell = (call, callback) => {
  callback(null, { calls });
  calls = {};
};

const [idle, age] = process.argv.slice(2).map((seconds) => Number(seconds) * 1000);
const server = new grpc.Server({
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': 100,
  ...(idle && { 'grpc.max_connection_idle_ms': idle }),
  ...(age && { 'grpc.max_connection_age_ms': age }),
});
server.addService(
  { Say: method('Say'), Keep: method('Keep'), Write: method('Write'), Stats: method('Stats'), Count: method('Count', true) },
  { Say: say('Say'), Keep: say('Keep'), Write: say('Write'), Stats: tell, Count: countTo },
);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
process.stdin.on('end', () => server.forceShutdown()).resume();
