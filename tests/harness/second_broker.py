"""A second broker of Kafka, for topics that have partitions on both."""

from harness.servers import KafkaServer


class SecondBroker(KafkaServer):
    """Joins the first one, which is the controller."""

    def __init__(self, first: KafkaServer) -> None:
        super().__init__()
        self.first = first

    def prepare(self) -> None:
        self.format(
            {
                "process.roles": "broker",
                "node.id": 2,
                "controller.quorum.voters": f"1@127.0.0.1:{self.first.controller_port}",
                "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.advertised_port}",
            }
        )
