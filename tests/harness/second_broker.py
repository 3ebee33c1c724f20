"""A second broker of Kafka, for topics that have partitions on both."""

from harness.servers import CLUSTER_ID, KafkaServer, _run


class SecondBroker(KafkaServer):
    """Joins the first one, which is the controller."""

    def __init__(self, first: KafkaServer) -> None:
        super().__init__()
        self.first = first

    def prepare(self) -> None:
        settings = {
            "process.roles": "broker",
            "node.id": 2,
            "controller.quorum.voters": f"1@127.0.0.1:{self.first.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.folder / "data",
            "broker.session.timeout.ms": 1_500,
            "broker.heartbeat.interval.ms": 300,
            "num.network.threads": 2,
            "num.io.threads": 2,
            "log.cleaner.enable": "false",
        }
        self.config_path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        _run(self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self.config_path)))
